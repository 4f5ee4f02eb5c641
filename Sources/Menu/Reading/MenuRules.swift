import StrictYAML

/// Rules across states: names that lead somewhere, variables that are filled, money that is read back.
struct MenuRules {
    let reading: MenuReading

    func check() {
        checkReferences()
        checkVariables()
        checkLogin()
    }

    private func checkReferences() {
        for reference in reading.references {
            guard let target = reading.states[reference.state] else {
                reference.value.fail("there is no state \(reference.value.found)")
                continue
            }
            guard case .operation(let step) = target.kind, step.signature.movesMoney else { continue }
            // The id must be fixed, and checkpointed, before the caller can say yes.
            let operation = step.signature.name
            let prepared = reference.owner.flatMap { reading.states[$0]?.prepares }
            if prepared != operation {
                reference.value.fail(
                    "the state \(reference.value.found) does \"\(operation)\" and is reached only from a read-back "
                        + "state with \"prepares: \(operation)\"")
            }
        }
    }

    private func checkVariables() {
        for use in reading.variableUses {
            if use.isSecret {
                if reading.collectors[use.name] == nil {
                    use.value.fail("no entry collects the secret \(use.value.found)")
                }
            } else if reading.collectors[use.name] != nil {
                use.value.fail("\(use.value.found) is a secret: it goes to bank operations only")
            } else if !reading.variables.contains(use.name) {
                use.value.fail("nothing fills the variable \(use.value.found)")
            }
        }
        for name in reading.collectors.keys.sorted() where reading.variables.contains(name) {
            if let state = reading.collectors[name].flatMap({ reading.states[$0] }) {
                reading.collector.add(
                    Problem(
                        file: state.place.file, line: state.place.line,
                        "\"\(name)\" is collected both as a secret and in the open"))
            }
        }
    }

    /// A state that works on the logged-in customer's account must not be reached without one.
    private func checkLogin() {
        for state in reading.states.values {
            guard case .operation(let step) = state.kind, step.signature.needsLogin, !state.needsLogin else { continue }
            reading.collector.add(
                Problem(
                    file: state.place.file, line: state.place.line,
                    "\"\(step.signature.name)\" works for the customer who logged in; add \"needs: login\""))
        }
    }
}

extension MenuReading {
    func operation(
        _ map: YAMLMapping, _ context: BranchContext, defaults: YAMLMapping?, state: inout MenuState
    ) -> MenuState.Kind? {
        let timeoutValue = map.take("timeout"), base = defaults?.take("operation")
        let timeout = (timeoutValue ?? base)?.duration() ?? .seconds(10)
        let typeAhead = map.take("type-ahead").flatMap { $0.boolean() }
        guard let step = map.require("do")?.mapping("an operation: operation, with and results") else { return nil }
        defer { step.finish() }
        guard let value = step.require("operation"), let name = value.text("an operation") else {
            _ = (step.take("with"), step.take("results"))
            return nil
        }
        guard let signature = operations.signatures[name] else {
            value.fail(
                "there is no operation \(value.found); there are \(operations.signatures.keys.sorted().joined(separator: ", "))"
            )
            _ = (step.take("with"), step.take("results"))
            return nil
        }
        let arguments = self.arguments(step, signature)
        let branches = results(
            step.require("results"), expected: signature.results, whole: step.whole, context: context)
        return .operation(
            OperationStep(
                signature: signature, arguments: arguments, results: branches, timeout: timeout,
                typeAhead: typeAhead ?? !signature.movesMoney))
    }

    private func arguments(_ step: YAMLMapping, _ signature: OperationSignature) -> [String: String] {
        var arguments: [String: String] = [:]
        for (key, value) in step.take("with")?.entries("a mapping of arguments to variables") ?? [] {
            guard let name = key.text("an argument") else { continue }
            switch signature.arguments[name] {
            case .loggedInCustomer?: key.fail("\"\(name)\" is the customer who logged in, and is filled in for you")
            case .text?, .amount?: arguments[name] = variable(value)
            case .secret?: arguments[name] = variable(value, isSecret: true)
            case nil:
                key.fail(
                    "\"\(signature.name)\" has no argument \"\(name)\"; it has \(signature.givenArguments.joined(separator: ", "))"
                )
            }
        }
        for (name, kind) in signature.arguments.sorted(by: { $0.key < $1.key }) where arguments[name] == nil {
            switch kind {
            case .text, .amount, .secret:
                if step.take("with").flatMap({ $0.isMapping ? $0.entries() : nil })?.contains(where: {
                    $0.key.text() == name
                })
                    != true
                {
                    step.whole.fail("\"\(signature.name)\" needs the argument \"\(name)\" under \"with\"")
                }
            case .loggedInCustomer: break
            }
        }
        return arguments
    }
}

extension OperationSignature {
    /// The arguments that a menu writes.
    var givenArguments: [String] { arguments.filter { $0.value != .loggedInCustomer }.keys.sorted() }
}
