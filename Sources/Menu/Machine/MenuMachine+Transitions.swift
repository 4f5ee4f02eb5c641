import Speech

extension MenuMachine {
    enum Entrance {
        case fresh
        /// Sent back to a question after a failed attempt: its attempts are not forgotten.
        case retry
        case resumed(noInputs: Int, wrongs: Int)
    }

    mutating func enter(_ name: String, _ entrance: Entrance, _ turn: inout Turn) {
        cancel(.firstDigit, &turn)
        cancel(.interDigit, &turn)
        forgetEntry()
        turn.transitions += 1
        // Both are kept out by the checks of the definition; a call must not hang if a check ever fails.
        guard turn.transitions <= Self.transitionLimit, let next = definition.states[name] else {
            return end("menu-error", &turn)
        }
        if let collector = missingFirstEntry(next), collector != name { return enter(collector, .retry, &turn) }
        if next.needsLogin, customer == nil, let login = definition.login {
            wanted = name
            return enter(login.state, .fresh, &turn)
        }
        noInputs = 0
        wrongs = 0
        switch entrance {
        case .fresh: failures[name] = nil
        case .retry: break
        case .resumed(let previousNoInputs, let previousWrongs):
            noInputs = previousNoInputs
            wrongs = previousWrongs
        }
        state = name
        fixOperation(next, entrance)
        switch next.kind {
        case .choose(let choices): return choose(choices, &turn)
        case .call(let start, _):
            guard callers.count < Self.callLimit else { return end("menu-error", &turn) }
            callers.append(name)
            return enter(start, .fresh, &turn)
        case .choice, .entry, .operation, .queue, .speak, .hangUp: break
        }
        turn.actions.append(.enteredState(name, path: next.path, extendsPath: path != next.path))
        path = next.path
        if case .resumed = entrance, resolves(next, &turn) { return }
        begin(next, &turn)
    }

    /// TAKEOVER.md, Money: the id is fixed when the read-back is entered, and lives as long as the caller is there or
    /// at the operation that it names. A takeover keeps it.
    private mutating func fixOperation(_ next: MenuState, _ entrance: Entrance) {
        if let operation = next.prepares {
            if case .resumed = entrance, pendingOperation?.name == operation { return }
            pendingOperation = .init(name: operation, id: newOperationID(), readBack: next.name)
        } else if case .operation(let step) = next.kind, step.signature.name == pendingOperation?.name {
            return
        } else {
            pendingOperation = nil
        }
    }

    /// A random UUID (RFC 9562, version 4) in lower case.
    private mutating func newOperationID() -> String {
        let digits = Array(random.hex(32))
        let variant: [Character] = ["8", "9", "a", "b"]
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            switch index {
            case 12: text.append("4")
            case 16: text.append(variant[Int(digit.hexDigitValue ?? 0) & 3])
            default: text.append(digit)
            }
        }
        return text
    }

    private mutating func begin(_ next: MenuState, _ turn: inout Turn) {
        switch next.kind {
        case .choice, .entry: ask(&turn)
        case .operation(let step): start(step, &turn)
        case .queue:
            forgetTypedAhead()
            phase = .announcing
            if !play(render(next.say), interruptible: next.bargeIn, &turn) { requestAgent(&turn) }
        case .speak(let then):
            phase = .speaking(then: then)
            if skips(bargeIn: next.bargeIn) || !play(render(next.say), interruptible: next.bargeIn, &turn) {
                follow(then, &turn)
            }
        case .hangUp(let reason):
            forgetTypedAhead()
            phase = .parting(reason: reason)
            if !play(render(next.say), interruptible: next.bargeIn, &turn) { end(reason, &turn) }
        case .choose, .call: break
        }
    }

    /// A digit that is already waiting ends what would be said now.
    private func skips(bargeIn: Bool) -> Bool { bargeIn && !typedAhead.isEmpty }

    /// Takes a branch: what happens on the way, what is said, then on.
    mutating func follow(_ branch: MenuBranch, values: [String: MenuValue] = [:], _ turn: inout Turn) {
        taken?.insert(branch.id)
        if let chosen = branch.language, chosen != language {
            language = chosen
        }
        if let chosen = branch.language { turn.actions.append(.languageChosen(chosen)) }
        if branch.marksLogin, let login = definition.login, let name = variables[login.customerVariable]?.asText {
            customer = name
            turn.actions.append(.loggedIn(customer: name))
        }
        for (variable, value) in branch.keep { variables[variable] = values[value] }
        cancel(.firstDigit, &turn)
        cancel(.interDigit, &turn)
        if skips(bargeIn: branch.bargeIn) {
            stopPlaying(&turn)
            return go(branch, &turn)
        }
        if play(render(branch.say, locals: values), interruptible: branch.bargeIn, &turn) {
            phase = .answering(branch)
        } else {
            go(branch, &turn)
        }
    }

    mutating func go(_ branch: MenuBranch, _ turn: inout Turn) {
        switch branch.target {
        case .state(let name): enter(name, .fresh, &turn)
        case .again:
            noInputs = 0
            wrongs = 0
            ask(&turn)
        case .wanted(let otherwise):
            let name = wanted ?? otherwise
            wanted = nil
            enter(name, .fresh, &turn)
        case .back:
            guard let caller = callers.popLast(), case .call(_, let then)? = definition.states[caller]?.kind else {
                return end("menu-error", &turn)
            }
            follow(then, &turn)
        case .retry(let name):
            let count = failures[name, default: 0] + 1
            failures[name] = count
            if let rule = definition.states[name]?.question?.wrong, count >= rule.limit {
                failures[name] = nil
                follow(rule.exhausted, &turn)
            } else {
                enter(name, .retry, &turn)
            }
        }
    }

    private mutating func choose(_ choices: [Choice], _ turn: inout Turn) {
        let now = turn.now
        let choice = choices.first { choice in choice.conditions.allSatisfy { holds($0, now) } }
        guard let choice else { return end("menu-error", &turn) }
        follow(choice.branch, &turn)
    }

    private func holds(_ condition: Choice.Condition, _ now: WallTime) -> Bool {
        switch condition {
        case .hours(let hours, let isOpen): hours.contains(now) == isOpen
        case .language(let code): language == code
        case .loggedIn(let wanted): (customer != nil) == wanted
        case .variable(let name, let text): variables[name]?.asText == text
        }
    }

    // MARK: The bank

    private mutating func start(_ step: OperationStep, _ turn: inout Turn) {
        if let target = missingSecret(step) {
            // After a takeover the secret is gone with the center that held it: ask for it again.
            return enter(target, .fresh, &turn)
        }
        var arguments: [String: MenuArgument] = [:]
        for (name, kind) in step.signature.arguments {
            switch kind {
            case .loggedInCustomer: arguments[name] = customer.map { .text($0) }
            case .text:
                arguments[name] = step.arguments[name].flatMap { variables[$0]?.asText }.map { .text($0) }
            case .amount:
                arguments[name] = step.arguments[name].flatMap { variables[$0]?.asInteger }.map { .integer($0) }
            case .secret:
                arguments[name] = step.arguments[name].flatMap { secrets[$0] }.map { .secret($0) }
            }
        }
        forgetSecrets()
        lastCall &+= 1
        let call = OperationCall(rawValue: lastCall)
        phase = .operating(call)
        schedule(.operation, step.timeout, &turn)
        let id = step.signature.movesMoney ? pendingOperation?.id : nil
        turn.actions.append(
            .operation(MenuOperation(call: call, name: step.signature.name, arguments: arguments, operationID: id)))
    }

    /// A center died while money was on its way: after the claim the bank either has the result under the id or never
    /// will, so it is asked, not told again (TAKEOVER.md, Money).
    private mutating func resolves(_ next: MenuState, _ turn: inout Turn) -> Bool {
        guard case .operation(let step) = next.kind, step.signature.movesMoney, let pending = pendingOperation,
            pending.name == step.signature.name
        else { return false }
        lastCall &+= 1
        let call = OperationCall(rawValue: lastCall)
        phase = .operating(call)
        schedule(.operation, step.timeout, &turn)
        turn.actions.append(.askOutcome(call, name: pending.name, operationID: pending.id))
        return true
    }

    /// It never ran: the caller hears the read-back again, under the same id, and may confirm.
    mutating func readBackAgain(_ turn: inout Turn) {
        guard case .operation(let step)? = definition.states[state]?.kind else { return }
        cancel(.operation, &turn)
        let kept = pendingOperation?.readBack
        let readBack = definition.stateNames.first { name in
            definition.states[name]?.prepares == step.signature.name && (kept == nil || name == kept)
        }
        guard let readBack else { return conclude("unavailable", [:], &turn) }
        enter(readBack, .resumed(noInputs: 0, wrongs: 0), &turn)
    }

    /// A secret is entered a second time, and the first one is gone with the center that held it: it is asked for anew.
    private func missingFirstEntry(_ state: MenuState) -> String? {
        guard case .entry(_, let rule, _) = state.kind, case .secret(_, _, let first?) = rule.kind,
            secrets[first] == nil
        else { return nil }
        return definition.content.collectors[first]
    }

    private func missingSecret(_ step: OperationStep) -> String? {
        for (name, kind) in step.signature.arguments.sorted(by: { $0.key < $1.key }) where kind == .secret {
            if let secret = step.arguments[name], secrets[secret] == nil {
                return definition.content.collectors[secret]
            }
        }
        return nil
    }

    private static let successes: Set<String> = ["ok", "done", "already"]

    mutating func conclude(_ result: String, _ values: [String: MenuValue], _ turn: inout Turn) {
        guard case .operation(let step)? = definition.states[state]?.kind else { return }
        cancel(.operation, &turn)
        // Keys typed ahead are for what follows success; a failure is heard first.
        if !Self.successes.contains(result) { forgetTypedAhead() }
        // A bank may know more words than the catalogue: what is not listed was not done.
        let branch =
            step.results[result] ?? step.results["unavailable"] ?? step.results[step.signature.resultWithoutAnswer]
        guard let branch else { return end("menu-error", &turn) }
        follow(branch, values: values, &turn)
    }

    // MARK: Agents

    mutating func requestAgent(_ turn: inout Turn) {
        guard case .queue(let step)? = definition.states[state]?.kind else { return }
        phase = .queued
        turn.actions.append(.transferToQueue(step.queue))
    }

    mutating func leaveQueue(_ result: QueueResult, _ turn: inout Turn) {
        guard case .queued = phase, case .queue(let step)? = definition.states[state]?.kind,
            let branch = step.results[result.rawValue]
        else { return }
        follow(branch, &turn)
    }
}

extension MenuState {
    var question: Question? {
        switch kind {
        case .choice(let question, _), .entry(let question, _, _): question
        case .operation, .queue, .choose, .call, .speak, .hangUp: nil
        }
    }
}
