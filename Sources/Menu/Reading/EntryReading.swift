import StrictYAML

extension EntryRule {
    /// Whether a key is part of the entry itself.
    func uses(_ digit: KeypadDigit) -> Bool {
        if digit.isDecimal || digit == terminator { return true }
        if case .amount(let point, _) = kind { return digit == point }
        return false
    }
}

/// Reads an `enter` section.
struct EntryReading {
    let reading: MenuReading
    let state: String
    let swallow: Duration
    let then: MenuBranch

    func rule(_ value: YAMLValue, scope: MenuScope) -> EntryRule? {
        guard let map = value.mapping("an entry") else { return nil }
        defer { map.finish() }
        let kinds = ["digits", "secret", "amount"].filter(map.keys.contains)
        guard kinds.count == 1, let word = kinds.first, let named = map.require(word),
            let variable = reading.variableName(named)
        else {
            value.fail("an entry is exactly one of digits, secret or amount, with the name of its variable")
            for key in kinds + [
                "length", "terminator", "terminator-required", "same-as", "mismatch", "decimal-point", "maximum",
            ] {
                _ = map.take(key)
            }
            return nil
        }
        var kind: EntryRule.Kind
        var mismatch: MenuBranch?
        switch word {
        case "amount":
            kind = amount(map)
            reading.variables.insert(variable)
        case "secret":
            let (minimum, maximum) = lengths(map)
            let sameAs = map.take("same-as").flatMap { reading.variable($0, isSecret: true) }
            if sameAs != nil {
                mismatch = map.require("mismatch").flatMap {
                    reading.branch($0, .init(scope: scope, owner: state, label: "\(state): mismatch"))
                }
            }
            kind = .secret(minimum: minimum, maximum: maximum, sameAs: sameAs)
            if let other = reading.collectors[variable] {
                named.fail("the secret \"\(variable)\" is collected by the state \"\(other)\" already")
            }
            reading.collectors[variable] = state
        default:
            let (minimum, maximum) = lengths(map)
            kind = .digits(minimum: minimum, maximum: maximum)
            reading.variables.insert(variable)
        }
        var rule = EntryRule(
            variable: variable, kind: kind, terminator: nil, needsTerminator: false, swallowHash: swallow, then: then,
            mismatch: mismatch)
        let terminator = map.take("terminator").flatMap(reading.digit)
        rule.terminator = terminator ?? (rule.isFixedLength ? nil : .hash)
        if let required = map.take("terminator-required") {
            rule.needsTerminator = required.boolean() ?? false
            if rule.needsTerminator, rule.isFixedLength {
                required.fail("an entry of fixed length ends at its last digit, no terminator can be required")
            }
        }
        if case .amount(let point, _) = kind, point == rule.terminator {
            value.fail("the decimal point and the terminator are the same key")
        }
        return rule
    }

    /// `length: 8`, or `length: [4, 12]`.
    private func lengths(_ map: YAMLMapping) -> (Int, Int) {
        guard let value = map.require("length") else { return (1, 1) }
        if value.isList {
            let numbers = (value.list() ?? []).compactMap { $0.integer(in: 1...32) }
            guard numbers.count == 2, numbers[0] <= numbers[1] else {
                value.fail("expected the least and the largest length, such as [4, 12]")
                return (1, 1)
            }
            return (numbers[0], numbers[1])
        }
        let length = value.integer(in: 1...32) ?? 1
        return (length, length)
    }

    private func amount(_ map: YAMLMapping) -> EntryRule.Kind {
        let point = map.take("decimal-point").flatMap(reading.digit) ?? .star
        var maximum: Int64 = 99_999_999_999
        if let value = map.take("maximum") {
            if let text = value.text("an amount"), let minor = AmountEntry.minorUnits(text.utf8, point: 46), minor > 0 {
                maximum = minor
            } else {
                value.fail("found \(value.found), expected an amount such as \"50000.00\"")
            }
        }
        return .amount(decimalPoint: point, maximumMinor: maximum)
    }
}
