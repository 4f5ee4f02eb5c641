import Media

/// A number that depends on the caller's place: `10000000+n`, `10000001+n%500`, `n:8`.
struct CallerNumber: Hashable, Sendable {
    private enum Term: Hashable, Sendable {
        case constant(Int)
        case caller
        case callerModulo(Int)
    }

    private struct Part: Hashable, Sendable {
        var term: Term
        var isNegative: Bool
    }

    private static let widthLimit = 18
    private var parts: [Part] = []
    private var width = 0

    /// - Parameter text: what stands between the braces, of a plan whose characters are numbered from 0.
    init(_ text: ArraySlice<Character>) throws(DigitPlanError) {
        func refused(_ problem: String, _ index: Int) -> DigitPlanError {
            DigitPlanError(column: index + 1, problem: problem)
        }
        var index = text.startIndex
        func number(_ index: inout Int) throws(DigitPlanError) -> Int {
            let start = index
            while index < text.endIndex, ("0"..."9").contains(text[index]) { index += 1 }
            guard (1...Self.widthLimit).contains(index - start), let value = Int(String(text[start..<index])) else {
                throw refused("expected a number of 1 to \(Self.widthLimit) digits", start)
            }
            return value
        }
        var isNegative = false
        while true {
            guard index < text.endIndex else { throw refused("expected a number or n", index) }
            if text[index] == "n" {
                index += 1
                if index < text.endIndex, text[index] == "%" {
                    index += 1
                    let place = index
                    let divisor = try number(&index)
                    guard divisor > 0 else { throw refused("n%0 is no number", place) }
                    parts.append(Part(term: .callerModulo(divisor), isNegative: isNegative))
                } else {
                    parts.append(Part(term: .caller, isNegative: isNegative))
                }
            } else {
                parts.append(Part(term: .constant(try number(&index)), isNegative: isNegative))
            }
            guard index < text.endIndex else { return }
            let sign = text[index]
            index += 1
            switch sign {
            case "+": isNegative = false
            case "-": isNegative = true
            case ":":
                let place = index
                width = try number(&index)
                guard width <= Self.widthLimit, index == text.endIndex else {
                    throw refused("expected a width of at most \(Self.widthLimit) and then \"}\"", place)
                }
                return
            default: throw refused("expected + or - or :WIDTH", index - 1)
            }
        }
    }

    /// Below zero counts as zero: a keypad has no minus.
    func value(forCaller caller: Int) -> Int {
        var sum = 0
        for part in parts {
            let value =
                switch part.term {
                case .constant(let value): value
                case .caller: caller
                case .callerModulo(let divisor): caller % divisor
                }
            sum = part.isNegative ? sum &- value : sum &+ value
        }
        return max(0, sum)
    }

    func digits(forCaller caller: Int) -> [Digit] {
        let text = String(value(forCaller: caller))
        let padding = String(repeating: "0", count: max(0, width - text.count))
        return (padding + text).compactMap { Digit($0) }
    }
}
