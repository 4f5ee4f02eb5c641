import Banking
import Media
import Menu
import Primitives
import Session
import Store

/// The menu's actions done, and what happens told to it.
extension CenterCore {
    /// Answers given to a menu at once, one after another, without a prompt or a key between them.
    private static var menuRoundLimit: Int { 16 }
    /// Operations of one call that the bank has not answered: more only where it answers none of them.
    private static var askedLimit: Int { 16 }

    mutating func drive(_ event: MenuEvent, in call: inout Call) {
        var next: MenuEvent? = event
        var rounds = 0
        while let event = next, call.menu != nil {
            next = nil
            rounds += 1
            guard rounds <= Self.menuRoundLimit else {
                actions.append(.note(.menuAnomaly("the menu goes round without the caller")))
                return hangUp(&call, .menu, "menu-error")
            }
            for action in call.menu?.handle(event, now: now.wall) ?? [] {
                // A hang-up is the last action; nothing may follow it.
                guard !call.isOver else { return }
                if let answer = perform(action, in: &call) { next = answer }
            }
        }
    }

    /// Returns what the menu has to be told at once, after its other actions.
    private mutating func perform(_ action: MenuAction, in call: inout Call) -> MenuEvent? {
        switch action {
        case .play(let prompt, let items, _):
            let (playlist, missing) = settings.voices.playlist(items)
            for name in missing { actions.append(.note(.menuAnomaly("prompt \(name) is missing"))) }
            call.nextPlayback += 1
            call.playback = (call.nextPlayback, prompt)
            actions.append(.media(call.handle, .play(PlaybackID(rawValue: call.nextPlayback), playlist)))
        case .stopPlaying:
            call.playback = nil
            actions.append(.media(call.handle, .stopPlaying))
        case .schedule(let timer, let delay): schedule(.menu(timer), in: &call, after: delay)
        case .cancel(let timer): cancel(.menu(timer), in: &call)
        case .operation(let operation): return ask(operation, in: &call)
        case .askOutcome(let operation, let name, let id): return askOutcome(operation, name, id, in: &call)
        case .transferToQueue(let queue):
            note(.queue, "\(queue): no seat center", in: &call)
            return .queueResult(.busy)
        case .leaveQueue: break
        case .hangUp(let reason): hangUp(&call, .menu, reason)
        case .enteredState(_, let path, let extendsPath):
            if extendsPath {
                call.record.enter(path)
                note(.state, path, in: &call)
            }
            call.isDirty = true
        case .languageChosen(let language):
            note(.state, "language \(language)", in: &call)
            call.isDirty = true
        case .loggedIn(let customer):
            note(.bank, "customer \(customer) logged in", in: &call)
            call.isDirty = true
        }
        return nil
    }

    // MARK: What the caller does

    mutating func hear(_ event: MediaEvent, in call: inout Call) {
        switch event {
        case .digit(let digit):
            call.hearsAudio = true
            call.isSilent = false
            press(digit, in: &call)
        case .finishedPlaying(let id):
            guard let playback = call.playback, playback.id == id.rawValue else { return }
            call.playback = nil
            drive(.promptsFinished(playback.prompt), in: &call)
        case .stoppedByDigit: break
        case .latched(let endpoint):
            call.hearsAudio = true
            guard call.latched != endpoint else { return }
            call.latched = endpoint
            call.isDirty = true
        case .fellSilent: call.isSilent = true
        case .heardAgain: call.isSilent = false
        case .timedOut: hangUp(&call, .limit, "no RTP for so long as the profile allows")
        }
    }

    mutating func press(_ digit: Digit, in call: inout Call) {
        guard let key = KeypadDigit(ascii: digit.ascii) else { return }
        // They are the peer's to hear, which passes over the first second; or this center's, if the peer refuses.
        guard call.handover?.isGiven != true else { return call.handover?.keep(key) ?? () }
        drive(.digit(key), in: &call)
    }

    // MARK: The bank

    private mutating func ask(_ operation: MenuOperation, in call: inout Call) -> MenuEvent? {
        // The bank comes first; the call is given later.
        if call.handover?.step == .saving { endHandover(of: &call) }
        // Without a row in the store there is no right under which money could move (TAKEOVER.md, Money).
        guard call.isStored, call.handover == nil, call.asked.count < Self.askedLimit,
            let request = BankOperation(operation, in: call, random: &random)
        else {
            note(.bank, "\(operation.name): unavailable", in: &call)
            return .operationResult(operation.call, name: "unavailable")
        }
        var write = write(call)
        // Written in the transaction that moves the money: from then on the result is kept under the id.
        if let id = operation.operationID {
            write.checkpoint.menu?.pendingOperation?.phase = .executed
            call.operationPhase = (id, .submitted)
        }
        call.asked[operation.call] = Call.AskedOperation(name: operation.name, id: request.id)
        actions.append(.bank(call.handle, operation.call, request, under: write))
        return nil
    }

    /// The bank's answer. A late one, to which the menu listens no more, is in the timeline all the same.
    mutating func bankAnswered(_ operation: OperationCall, _ outcome: BankOutcome, in call: inout Call) {
        guard let asked = call.asked.removeValue(forKey: operation) else { return }
        if outcome == .notOwner { return dropWithoutOwnership(&call) }
        // Of the operation whose phase is known, not of another one that was asked for meanwhile.
        if let id = asked.id, call.operationPhase?.id == id.description, call.operationPhase?.phase == .submitted {
            switch outcome {
            case .unknown, .notOwner: break
            case .unavailable: call.operationPhase?.phase = .offered
            default: call.operationPhase?.phase = .executed
            }
        }
        note(.bank, "\(asked.name): \(outcome.detailedName)", in: &call)
        if outcome == .unknown, let id = asked.id { doubt(id, asked.name, in: call) }
        let (result, values) = outcome.menuResult
        drive(.operationResult(operation, name: result, values: values), in: &call)
        call.isDirty = true
    }
}

/// Money that was on its way when its center died (TAKEOVER.md, Money).
extension CenterCore {
    private static var doubtInterval: Duration { .milliseconds(500) }

    private mutating func askOutcome(
        _ operation: OperationCall, _ name: String, _ id: String, in call: inout Call
    ) -> MenuEvent? {
        guard let id = OperationID(id) else { return .operationResult(operation, name: "unknown") }
        call.asked[operation] = Call.AskedOperation(name: name, id: id)
        call.doubt = (operation, id)
        actions.append(.store(.bankResult(id), .outcome(call.handle, operation)))
        return nil
    }

    /// Present: the caller is told. Absent: after the claim it never runs, so the caller hears the read-back again.
    mutating func outcomeKnown(_ operation: OperationCall, _ reply: StoreReply, in call: inout Call) {
        guard let doubt = call.doubt, doubt.call == operation else { return }
        guard case .bankResult(let outcome) = reply else {
            // The store is away. The menu waits as long as it would for the bank, then speaks of doubt.
            return schedule(.doubt, in: &call, after: Self.doubtInterval)
        }
        call.doubt = nil
        if let outcome {
            call.operationPhase = (doubt.id.description, .submitted)
            bankAnswered(operation, outcome, in: &call)
        } else {
            call.operationPhase = (doubt.id.description, .offered)
            let name = call.asked.removeValue(forKey: operation)?.name ?? "operation"
            note(.bank, "\(name): never ran", in: &call)
            drive(.operationNeverRan(operation), in: &call)
            call.isDirty = true
        }
    }

    mutating func askAgain(_ call: inout Call) {
        guard let doubt = call.doubt else { return }
        actions.append(.store(.bankResult(doubt.id), .outcome(call.handle, doubt.call)))
    }
}

extension BankOperation {
    /// Nil where an argument is missing or is no customer's number.
    init?(_ operation: MenuOperation, in call: Call, random: inout SeededRandom) {
        func text(_ name: String) -> String? {
            if case .text(let text)? = operation.arguments[name] { return text }
            return nil
        }
        func secret(_ name: String) -> SecretDigits? {
            if case .secret(let secret)? = operation.arguments[name] { return secret }
            return nil
        }
        let own = text("customer").flatMap { CustomerNumber($0) }
        let payee = text("payee").flatMap { CustomerNumber($0) }
        let id = operation.operationID.flatMap { OperationID($0) } ?? OperationID(SessionID(using: &random).description)
        switch operation.name {
        case "login":
            guard let own, let pin = secret("pin") else { return nil }
            self.init(customer: own, .login(pin: pin))
        case "balance":
            guard let own else { return nil }
            self.init(customer: own, .balance)
        case "statement":
            guard let own else { return nil }
            self.init(customer: own, .statement)
        case "check-payee":
            guard let payee, let asker = call.menu?.customer.flatMap({ CustomerNumber($0) }) else { return nil }
            self.init(customer: asker, .checkPayee(payee))
        case "transfer":
            guard let own, let payee, let id, operation.operationID != nil,
                case .integer(let amount)? = operation.arguments["amount_minor"]
            else { return nil }
            self.init(customer: own, .transfer(id, payee: payee, amountMinor: amount))
        case "report-card":
            guard let own, let id else { return nil }
            self.init(customer: own, .reportCard(id))
        case "change-pin":
            guard let own, let id, let new = secret("new") else { return nil }
            self.init(customer: own, .changePIN(id, new: new))
        default: return nil
        }
    }
}

extension BankOutcome {
    /// The outcome in the terms of the menus' operation catalogue.
    var menuResult: (name: String, values: [String: MenuValue]) {
        switch self {
        case .balance(let money):
            ("ok", ["amount_minor": .integer(money.minor), "currency": .text(money.currency.code)])
        case .statement(let entries):
            (
                "ok",
                [
                    "transactions": .list(
                        entries.map {
                            [
                                "date": .text(WallTime(day: $0.day).description),
                                "amount_minor": .integer($0.amountMinor),
                                "currency": "CNY", "kind": .text($0.kind.rawValue),
                                "counterparty": .text($0.counterparty),
                            ]
                        })
                ]
            )
        case .wrongPIN(let remaining): ("wrong-pin", ["remaining": .integer(Int64(remaining))])
        case .refused(let reason): ("refused", ["reason": .text(reason.rawValue)])
        case .ok, .locked, .done, .already, .weak, .unknown, .unavailable, .notOwner: (name, [:])
        }
    }
}
