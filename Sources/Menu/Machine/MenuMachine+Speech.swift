import Speech

extension MenuMachine {
    /// Fills variables into a `say` list. `locals` are the values of the result that led here.
    func render(_ templates: [SayTemplate], locals: [String: MenuValue] = [:]) -> [PromptItem] {
        render(templates, locals: locals, language: language)
    }

    private func render(_ templates: [SayTemplate], locals: [String: MenuValue], language: String) -> [PromptItem] {
        templates.flatMap { template -> [PromptItem] in
            switch template {
            case .clip(let name, _): [PromptItem(.clip(name), language: language)]
            case .value(let form, let name, _):
                value(form, (locals[name] ?? variables[name]), locals).map { [PromptItem($0, language: language)] }
                    ?? []
            case .pick(let name, let clips, let otherwise, _):
                (((locals[name] ?? variables[name])?.asText).flatMap { clips[$0] } ?? otherwise)
                    .map { [PromptItem(.clip($0), language: language)] } ?? []
            case .each(let name, let items, let empty, _):
                each(name, items, empty, locals: locals, language: language)
            case .inLanguage(let other, let items): render(items, locals: locals, language: other)
            case .perLanguage(let lists): render(lists[language] ?? [], locals: locals, language: language)
            }
        }
    }

    private func each(
        _ name: String, _ items: [SayTemplate], _ empty: [SayTemplate], locals: [String: MenuValue], language: String
    ) -> [PromptItem] {
        let rows: [[String: MenuValue]]
        if case .list(let list)? = locals[name] { rows = list } else { rows = definition.content.tables[name] ?? [] }
        if rows.isEmpty { return render(empty, locals: locals, language: language) }
        return rows.flatMap { row in
            render(items, locals: locals.merging(row) { _, own in own }, language: language)
        }
    }

    /// Nil when the value is missing or of another kind: then it is left out, the rest is still said.
    private func value(
        _ form: SayTemplate.Form, _ value: MenuValue?, _ locals: [String: MenuValue]
    ) -> PromptItem.Content? {
        guard let value else { return nil }
        switch form {
        case .amount(let source, let unsigned):
            let currency =
                switch source {
                case .code(let code): code
                case .variable(let name): (locals[name] ?? variables[name])?.asText ?? ""
                }
            return value.asInteger.map {
                .amount(minor: unsigned ? Int64(clamping: $0.magnitude) : $0, currency: currency)
            }
        case .number: return value.asInteger.map { .number($0) }
        case .count: return value.asInteger.map { .count($0) }
        case .decimal: return value.asText.map { .decimal($0) }
        case .digits(let groups): return value.asText.map { .digits($0, groups: groups) }
        case .date: return value.asText.flatMap { CivilDate($0) }.map { .date($0) }
        case .monthDay: return value.asText.flatMap { CivilDate($0) }.map { .monthDay($0) }
        case .currencyName: return value.asText.map { .currencyName($0) }
        }
    }
}
