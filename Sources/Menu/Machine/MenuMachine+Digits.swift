import Primitives
import Speech

extension MenuMachine {
    // MARK: Questions

    /// Asks the question of the present state, after `prefix`, unless a digit that answers it is already here.
    mutating func ask(prefix: [PromptItem] = [], _ turn: inout Turn) {
        guard let current = definition.states[state] else { return }
        phase = .asking
        if current.bargeIn, !typedAhead.isEmpty { return stopPlaying(&turn) }
        forgetTypedAhead()
        if !play(prefix + render(current.say), interruptible: current.bargeIn, &turn) { awaitFirstDigit(&turn) }
    }

    mutating func awaitFirstDigit(_ turn: inout Turn) {
        guard let question = definition.states[state]?.question else { return }
        schedule(.firstDigit, question.firstDigit, &turn)
    }

    mutating func missInput(_ turn: inout Turn) {
        guard let question = definition.states[state]?.question else { return }
        noInputs += 1
        retry(question.noInput, count: noInputs, &turn)
    }

    private mutating func mistake(_ turn: inout Turn) {
        guard let question = definition.states[state]?.question else { return }
        forgetEntry()
        cancel(.interDigit, &turn)
        wrongs += 1
        retry(question.wrong, count: wrongs, &turn)
    }

    private mutating func retry(_ rule: RetryRule, count: Int, _ turn: inout Turn) {
        if count >= rule.limit { return follow(rule.exhausted, &turn) }
        let index = min(count - 1, rule.attempts.count - 1)
        let words = rule.attempts.indices.contains(index) ? render(rule.attempts[index]) : []
        if rule.repeatsQuestion { return ask(prefix: words, &turn) }
        phase = .asking
        if !play(words, interruptible: true, &turn) { awaitFirstDigit(&turn) }
    }

    // MARK: Digits

    mutating func press(_ digit: KeypadDigit, _ turn: inout Turn) {
        if timers.contains(.settling) { return }
        if timers.contains(.swallowHash) {
            cancel(.swallowHash, &turn)
            if digit == .hash { return }
        }
        switch phase {
        case .idle, .ended: break
        case .asking:
            if let playing, !playing.interruptible { return }
            accept(digit, &turn)
        case .answering(let branch):
            // It ends the answer and counts at what follows.
            guard playing?.interruptible == true else { return }
            typedAhead = [digit]
            stopPlaying(&turn)
            go(branch, &turn)
        case .speaking(let then):
            guard playing?.interruptible == true else { return }
            typedAhead = [digit]
            stopPlaying(&turn)
            follow(then, &turn)
        case .operating:
            guard case .operation(let step)? = definition.states[state]?.kind, step.typeAhead,
                typedAhead.count < Self.typeAheadLimit
            else { return }
            typedAhead.append(digit)
        case .announcing, .queued: pressInQueue(digit, &turn)
        case .parting(let reason):
            if playing?.interruptible == true { end(reason, &turn) }
        }
    }

    /// Digits that were waiting are used up as far as questions take them.
    mutating func drainTypedAhead(_ turn: inout Turn) {
        while !typedAhead.isEmpty, case .asking = phase {
            if let playing, !playing.interruptible {
                forgetTypedAhead()
                return
            }
            let digit = typedAhead.removeFirst()
            if timers.contains(.swallowHash) {
                cancel(.swallowHash, &turn)
                if digit == .hash {
                    if typedAhead.isEmpty { ask(&turn) }
                    continue
                }
            }
            accept(digit, &turn)
        }
    }

    private mutating func accept(_ digit: KeypadDigit, _ turn: inout Turn) {
        guard let current = definition.states[state] else { return }
        stopPlaying(&turn)
        cancel(.firstDigit, &turn)
        switch current.kind {
        case .choice(_, let keys):
            if let branch = keys[digit] { follow(branch, &turn) } else { mistake(&turn) }
        case .entry(let question, let rule, let keys):
            if rule.uses(digit) {
                collect(digit, rule, question, &turn)
            } else if let branch = keys[digit] {
                forgetEntry()
                // Who leaves by a key will not come back to what was entered before.
                if case .again = branch.target {} else { forgetSecrets() }
                follow(branch, &turn)
            } else {
                mistake(&turn)
            }
        case .operation, .queue, .choose, .call, .speak, .hangUp: break
        }
    }

    private mutating func pressInQueue(_ digit: KeypadDigit, _ turn: inout Turn) {
        guard case .queue(let step)? = definition.states[state]?.kind else { return }
        if let branch = step.keys[digit] {
            if case .queued = phase { turn.actions.append(.leaveQueue) }
            stopPlaying(&turn)
            follow(branch, &turn)
        } else if case .announcing = phase, playing?.interruptible == true {
            stopPlaying(&turn)
            requestAgent(&turn)
        }
    }

    // MARK: Entries

    private mutating func collect(_ digit: KeypadDigit, _ rule: EntryRule, _ question: Question, _ turn: inout Turn) {
        if digit == rule.terminator { return completeEntry(&turn) }
        let count: Int
        if rule.isSecret {
            let secret = typedSecret ?? SecretDigits()
            typedSecret = secret
            secret.append(digit.ascii)
            count = secret.count
        } else {
            typed.append(digit.ascii)
            count = typed.count
        }
        switch rule.kind {
        case .digits(let minimum, let maximum), .secret(let minimum, let maximum, _):
            if count >= maximum {
                if minimum == maximum { schedule(.swallowHash, rule.swallowHash, &turn) }
                return completeEntry(&turn)
            }
        case .amount:
            // What is too long is no amount any more, but must be swallowed up to its end: its tail would be another.
            if typed.count > AmountEntry.keyLimit { typed.removeLast() }
        }
        schedule(.interDigit, question.interDigit, &turn)
    }

    /// No further digit came in time.
    mutating func pauseInEntry(_ turn: inout Turn) {
        guard case .entry(_, let rule, _)? = definition.states[state]?.kind else { return }
        if rule.needsTerminator { mistake(&turn) } else { completeEntry(&turn) }
    }

    /// The terminator came, the entry is full, or it ends by a pause.
    mutating func completeEntry(_ turn: inout Turn) {
        guard case .entry(_, let rule, _)? = definition.states[state]?.kind else { return }
        cancel(.interDigit, &turn)
        switch rule.kind {
        case .digits(let minimum, _):
            guard typed.count >= minimum else { return mistake(&turn) }
            variables[rule.variable] = .text(String(decoding: typed, as: UTF8.self))
        case .amount(let point, let maximum):
            guard let minor = AmountEntry.minorUnits(typed, point: point.ascii), minor > 0, minor <= maximum else {
                return mistake(&turn)
            }
            variables[rule.variable] = .integer(minor)
        case .secret(let minimum, _, let sameAs):
            guard let secret = typedSecret, secret.count >= minimum else { return mistake(&turn) }
            typedSecret = nil
            if let sameAs, !Self.areEqual(secret, secrets[sameAs]) {
                forgetSecrets()
                if let mismatch = rule.mismatch { return follow(mismatch, &turn) }
                return mistake(&turn)
            }
            secrets[rule.variable] = secret
        }
        noInputs = 0
        wrongs = 0
        forgetEntry()
        follow(rule.then, &turn)
    }

    /// Looks at every digit whatever the first ones are.
    private static func areEqual(_ one: SecretDigits, _ other: SecretDigits?) -> Bool {
        guard let other, one !== other, one.count == other.count else { return false }
        return one.withBytes { left in
            other.withBytes { right in
                var difference: UInt8 = 0
                for (a, b) in zip(left, right) { difference |= a ^ b }
                return difference == 0
            }
        }
    }
}
