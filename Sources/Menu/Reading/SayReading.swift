import StrictYAML

/// The values at hand where something is said, besides the variables.
typealias LocalValues = [String: OperationSignature.Value]

extension MenuReading {
    private static let forms: [String: SayTemplate.Form] = [
        "number": .number, "count": .count, "decimal": .decimal, "date": .date, "month-day": .monthDay,
        "currency": .currencyName,
    ]

    /// A `say` list, or one list for each language.
    func say(_ value: YAMLValue?, scope: MenuScope, locals: LocalValues = [:]) -> [SayTemplate] {
        guard let value else { return [] }
        if value.isMapping {
            var lists: [String: [SayTemplate]] = [:]
            for (key, list) in value.entries() ?? [] {
                guard let language = key.text("a language"), languages.contains(language) else {
                    key.fail(
                        "found \(key.found), expected a language of this menu: \(languages.joined(separator: ", "))")
                    continue
                }
                lists[language] = say(list, scope: scope, locals: locals)
            }
            for language in languages where lists[language] == nil { value.fail("nothing is said in \"\(language)\"") }
            return [.perLanguage(lists)]
        }
        if value.isText { return item(value, scope: scope, locals: locals).map { [$0] } ?? [] }
        return (value.list("a list of things to say") ?? []).compactMap { item($0, scope: scope, locals: locals) }
    }

    private func item(_ value: YAMLValue, scope: MenuScope, locals: LocalValues) -> SayTemplate? {
        let place = MenuPlace(file: value.file, line: value.line)
        if value.isText { return value.name("the name of a clip").map { .clip($0, place) } }
        guard let map = value.mapping("the name of a clip, or one of {amount: …}, {digits: …}, {pick: …} and so on")
        else { return nil }
        defer { map.finish() }
        let keys = map.keys
        if keys.contains("pick") { return pick(map, place, locals) }
        if keys.contains("each") { return each(map, place, scope, locals) }
        if keys.contains("in") {
            let language = map.require("in").flatMap { self.language(of: $0) }
            let items = say(map.require("say"), scope: scope, locals: locals)
            return language.map { .inLanguage($0, items) }
        }
        if keys.contains("amount") {
            guard let name = map.require("amount").flatMap({ local($0, locals) }) else { return nil }
            let currency = map.take("currency").flatMap { currencySource($0, locals) } ?? .code("CNY")
            let unsigned = map.take("unsigned").flatMap { $0.boolean() } ?? false
            return .value(.amount(currency: currency, unsigned: unsigned), variable: name, place)
        }
        if keys.contains("digits") {
            guard let name = map.require("digits").flatMap({ local($0, locals) }) else { return nil }
            let groups = (map.take("groups")?.list("a list of group lengths") ?? []).compactMap {
                $0.integer(in: 1...32)
            }
            return .value(.digits(groups: groups), variable: name, place)
        }
        for (key, form) in Self.forms.sorted(by: { $0.key < $1.key }) where keys.contains(key) {
            return map.require(key).flatMap { local($0, locals) }.map { .value(form, variable: $0, place) }
        }
        for key in ["amount", "digits", "pick", "each", "in"] + Self.forms.keys { _ = map.take(key) }
        return nil
    }

    func language(of value: YAMLValue) -> String? {
        guard let language = value.text("a language"), languages.contains(language) else {
            value.fail("found \(value.found), expected a language of this menu: \(languages.joined(separator: ", "))")
            return nil
        }
        return language
    }

    /// An ISO 4217 code in capitals, else a variable.
    private func currencySource(_ value: YAMLValue, _ locals: LocalValues) -> SayTemplate.CurrencySource? {
        if let text = value.text("a currency"), text.utf8.count == 3, text.utf8.allSatisfy({ (65...90).contains($0) }) {
            return .code(text)
        }
        return local(value, locals).map { .variable($0) }
    }

    /// A value at hand or a variable.
    private func local(_ value: YAMLValue, _ locals: LocalValues) -> String? {
        if let text = variableName(value), locals[text] != nil { return text }
        return variable(value)
    }

    private func pick(_ map: YAMLMapping, _ place: MenuPlace, _ locals: LocalValues) -> SayTemplate? {
        guard let value = map.require("pick"), let name = local(value, locals) else { return nil }
        var clips: [String: String] = [:]
        for (key, clip) in map.require("clips")?.entries("a mapping of values to clips") ?? [] {
            if let key = key.text("a value"), let clip = clip.name("the name of a clip") { clips[key] = clip }
        }
        let otherwise = map.take("else")?.name("the name of a clip")
        if case .oneOf(let known)? = locals[name] {
            for key in clips.keys.sorted() where !known.contains(key) {
                value.fail("\"\(name)\" is never \"\(key)\"; it is one of \(known.joined(separator: ", "))")
            }
            let missing = known.filter { clips[$0] == nil }
            if otherwise == nil, !missing.isEmpty {
                value.fail(
                    "nothing is said when \"\(name)\" is \(missing.joined(separator: ", ")); add clips or an \"else\"")
            }
        } else if otherwise == nil {
            value.fail("a pick needs an \"else\", since the values of \"\(name)\" are not known here")
        }
        return .pick(variable: name, clips: clips, otherwise: otherwise, place)
    }

    private func each(
        _ map: YAMLMapping, _ place: MenuPlace, _ scope: MenuScope, _ locals: LocalValues
    ) -> SayTemplate? {
        guard let value = map.require("each"), let name = value.text("the name of a list") else { return nil }
        var inner = locals
        var full = name
        if case .list(let row)? = locals[name] {
            inner.merge(row) { _, new in new }
        } else if let row = tables[scope.prefix + name]?.first {
            full = scope.prefix + name
            for column in row.keys { inner[column] = .text }
        } else {
            value.fail("there is no list or table \"\(name)\" here")
            return nil
        }
        let items = say(map.require("say"), scope: scope, locals: inner)
        let empty = say(map.take("empty"), scope: scope, locals: locals)
        return .each(full, items, empty: empty, place)
    }
}
