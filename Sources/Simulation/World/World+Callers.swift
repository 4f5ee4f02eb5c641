import Banking
import Primitives
import Session
import Store

/// What the judge knows of a call.
struct CallFacts: Sendable {
    var phone: Int
    var errand: Errand
    var began: MonotonicTime
    /// A datagram of it was lost or came very late.
    var isDisturbed = false
    var isOpen = true
    var answeredAt: MonotonicTime?
    /// Centers that could take it when it began, and have lived since.
    var promises: [Int: NodeIdentity] = [:]
}

/// Callers, and the judgement of what they noticed.
extension World {
    mutating func openBank() {
        for start in stride(from: 0, to: money.openings.count, by: StoreRequest.seedLimit) {
            let chunk = Array(money.openings.dropFirst(start).prefix(StoreRequest.seedLimit))
            _ = store.engine.perform(.seed(chunk), at: storeTime)
        }
        if case .accounts(let rows) = store.engine.perform(.accounts(includingBank: true), at: storeTime) {
            money.opened(rows)
        }
    }

    mutating func withPhone(_ index: Int, _ work: (inout Phone) -> Void) {
        phones[index].now = now
        work(&phones[index])
        var outputs: [PhoneOutput] = []
        swap(&outputs, &phones[index].outputs)
        for output in outputs { perform(output, index) }
        // The array's room is used again.
        outputs.removeAll(keepingCapacity: true)
        if phones[index].outputs.isEmpty { swap(&outputs, &phones[index].outputs) }
    }

    private mutating func perform(_ output: PhoneOutput, _ phone: Int) {
        switch output {
        case .send(let bytes, let to): transmit(bytes, from: phones[phone].address, to: to)
        case .press(let key, let from, let to):
            events.schedule(.keyPressed(key, from: from, to: to), at: now + network.media)
        case .schedule(let timer, let call, let delay):
            events.schedule(.phone(phone, call: call, timer), at: now + delay)
        case .told(let news, let call): judge(news, call)
        }
    }

    // MARK: Errands

    mutating func beginErrand(_ phone: Int) {
        guard !isClosing else { return }
        guard !phones[phone].isBusy else { return _ = events.schedule(.errand(phone), at: now + .seconds(1)) }
        let errand = drawErrand(phone)
        let number = calls.count
        var facts = CallFacts(phone: phone, errand: errand, began: now)
        for center in centers where isTakingCalls(center) { facts.promises[center.index] = center.identity }
        calls.append(facts)
        report.calls += 1
        note("phone \(phone) calls \(errand.line): \(Self.name(errand.kind))", call: number)
        withPhone(phone) { $0.begin(errand, number: number) }
    }

    private static func name(_ kind: Errand.Kind) -> String {
        switch kind {
        case .bank(let items): "bank, \(items.count) items"
        case .silent: "silent"
        case .forgetful: "wrong PIN"
        case .music: "music"
        case .echo: "echo"
        case .unknownLine: "a line that is not there"
        case .cancels(let after): "cancels after \(after)"
        }
    }

    /// It runs, and access knows this very incarnation as one that takes calls.
    private func isTakingCalls(_ center: CenterNode) -> Bool {
        guard center.core != nil, let table = access.core.table else { return false }
        return table.centers.contains {
            $0.name == center.name && $0.state.takesNewCalls && $0.incarnation == center.identity.incarnation
        }
    }

    private mutating func drawErrand(_ phone: Int) -> Errand {
        if phone >= settings.phones {
            let length = Duration.milliseconds(Int.random(in: 500...2_500, using: &random))
            return Errand(kind: .echo(length), customer: 0, language: "en", patience: .seconds(60))
        }
        let kind: Errand.Kind
        var customer = money.customer(phone)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<62: kind = .bank(drawAgenda(customer, phone))
        case 62..<68: kind = .silent
        case 68..<71:
            kind = .forgetful
            customer = money.customer(settings.phones + phone % 4)
        case 71..<79: kind = .music(.milliseconds(Int.random(in: 3_000...160_000, using: &random)))
        case 79..<84: kind = .echo(.milliseconds(Int.random(in: 500...30_000, using: &random)))
        case 84..<87: kind = .unknownLine
        default: kind = .cancels(after: .milliseconds(Int.random(in: 0...160, using: &random)))
        }
        // A third hangs up somewhere on the way.
        let isHasty = Int.random(in: 0..<3, using: &random) == 0
        var errand = Errand(
            kind: kind, customer: customer, language: Bool.random(using: &random) ? "en" : "zh",
            patience: .milliseconds(Int.random(in: isHasty ? 200...60_000 : 120_000...140_000, using: &random)))
        if case .music = kind { errand.patience = .seconds(200) }
        errand.isRouteless = Int.random(in: 0..<8, using: &random) == 0
        errand.isOfferless = Int.random(in: 0..<16, using: &random) == 0
        errand.pressesByINFO = Int.random(in: 0..<8, using: &random) == 0
        errand.allowsUPDATE = Bool.random(using: &random)
        if Int.random(in: 0..<6, using: &random) == 0 { errand.sessionExpires_s = 90 }
        errand.holds = Bool.random(using: &random)
        return errand
    }

    private mutating func drawAgenda(_ customer: Int, _ phone: Int) -> [Errand.Item] {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in
            guard Int.random(in: 0..<4, using: &random) > 0, settings.phones > 1 else { return .balance }
            let other = (phone + Int.random(in: 1..<settings.phones, using: &random)) % settings.phones
            let transfer = Transfer(
                from: customer, to: money.customer(other), amountMinor: money.freshAmount(using: &random))
            return .transfer(transfer, confirms: Int.random(in: 0..<8, using: &random) > 0)
        }
    }

    // MARK: Judgement

    private mutating func judge(_ news: PhoneNews, _ call: Int) {
        switch news {
        case .answered(let after):
            report.answered += 1
            calls[call].answeredAt = now
            judgeSetUp(call, after: after, status: 200)
        case .refused(let status, let after):
            report.refused += 1
            judgeSetUp(call, after: after, status: status)
        case .unanswered("INVITE", let began):
            // The 200 was lost, and the center that repeats it until its ACK comes is dead: only a takeover can mend that.
            if calls[call].isDisturbed, disasters.contains(where: { $0 + .seconds(1) > began }) { return }
            broken(.answers, "an INVITE had no final answer in \(Phone.limit)", call: call)
        case .unanswered(let method, let began):
            // A dead center may leave other requests to the caller's own time-out (RFC 4320 §4.2).
            guard disasters.allSatisfy({ $0 < began }) else { return }
            broken(.answers, "a \(method) had no final answer in \(Phone.limit)", call: call)
        case .hungUpOn: judgeHangUp(call)
        case .over: ended(call)
        case .confirmed(let transfer): money.confirm(transfer)
        case .toldDone(let transfer): judgeDone(transfer, call)
        case .toldNot(let transfer):
            money.deny(transfer, call: call)
            note("hears that nothing was moved", call: call)
        case .toldUnknown: note("hears that it is not known yet", call: call)
        case .strangeSource(let detail):
            // A center that access gave up for its silence may speak until access has ended its late answer.
            if !calls[call].isDisturbed { broken(.rightAudio, detail, call: call) }
        case .wrongAudio(let detail): broken(.rightAudio, detail, call: call)
        case .unexpected(let detail): broken(.answers, detail, call: call)
        }
    }

    private mutating func judgeSetUp(_ call: Int, after: Duration, status: Int) {
        let facts = calls[call]
        note("final answer \(status) after \(after)", call: call)
        if case .unknownLine = facts.errand.kind {
            if status == 200 { broken(.answers, "a line that is not there was answered", call: call) }
            return
        }
        if status == 487 { return }
        guard !facts.isDisturbed, !facts.promises.isEmpty else { return }
        if case .cancels = facts.errand.kind { return }
        report.slowestAnswer = max(report.slowestAnswer, after)
        if status != 200 {
            broken(.newCalls, "refused with \(status) though a center could take it", call: call)
        } else if after > Simulation.newCallLimit {
            broken(.newCalls, "answered after \(after) though a center could take it", call: call)
        }
    }

    private mutating func judgeHangUp(_ call: Int) {
        let phone = calls[call].phone
        guard let at = phones[phone].index(of: call), !phones[phone].calls[at].hasHeardGoodbye,
            let answered = calls[call].answeredAt
        else { return }
        if now - answered >= CenterNode.longestCall - .seconds(1) { return }
        broken(.callsLast, "the center hung up after \(now - answered) and said no goodbye", call: call)
    }

    private mutating func ended(_ call: Int) {
        calls[call].isOpen = false
        if let answered = calls[call].answeredAt { report.callTime += now - answered }
        guard calls[call].phone < settings.phones else { return }
        let pause = Duration.milliseconds(Int.random(in: 500...8_000, using: &random))
        events.schedule(.errand(calls[call].phone), at: now + pause)
    }

    private mutating func judgeDone(_ transfer: Transfer, _ call: Int) {
        report.toldDone += 1
        note("hears that \(transfer.amountMinor) were moved", call: call)
        guard case .transfers(let rows) = store.engine.perform(.transfers(limit: 100_000), at: storeTime) else {
            return
        }
        let from = CustomerNumber(transfer.from).map { AccountNumber(first: $0).description }
        let to = CustomerNumber(transfer.to).map { AccountNumber(first: $0).description }
        let done = rows.filter {
            $0.from == from && $0.to == to && $0.amountMinor == transfer.amountMinor && $0.result == "done"
        }
        guard done.count == 1 else {
            return broken(
                .toldTruth, "was told that \(transfer) is done, the ledger has it \(done.count) times", call: call)
        }
    }

    /// A transfer went through the store.
    mutating func watch(_ bank: BankRequest, _ reply: StoreReply) {
        guard case .transfer(let id, let payee, let amount) = bank.request.action else { return }
        if reply == .bank(.done), let from = Int(bank.request.customer.description), let to = Int(payee.description) {
            report.transfers += 1
            let transfer = Transfer(from: from, to: to, amountMinor: amount)
            let wrong = money.posted(id, transfer)
            if let wrong { broken(wrong.0, wrong.1, call: sessions.call(of: bank.write?.session)) }
        }
        compareMoney(call: sessions.call(of: bank.write?.session))
    }

    mutating func compareMoney(call: Int?) {
        guard case .accounts(let rows) = store.engine.perform(.accounts(includingBank: true), at: storeTime),
            case .audit(let audit) = store.engine.perform(.audit, at: storeTime)
        else { return }
        if let wrong = money.compare(rows, audit) { broken(wrong.0, wrong.1, call: call) }
    }

    /// A record was written.
    mutating func ended(_ record: CallRecord, _ ownership: Ownership) {
        report.records += 1
        let call = sessions.call(of: record.id)
        note("record: \(record.end?.rawValue ?? "none") by \(ownership.node)", call: call)
        if record.end == .lost { report.lost += 1 }
        guard let call, ownership.node != master.identity, holds(ownership.node, call) else { return }
        if record.end == .lost || record.end == .operator {
            broken(
                .callsLast, "\(ownership.node), which lives, ended a call as \(record.end?.rawValue ?? "")", call: call)
        }
    }

    /// Whether the caller talks with that node. A center that access gave up and that answered late is another matter:
    /// access ends that dialog, and an offer in its 200 finds no answer.
    private func holds(_ node: NodeIdentity, _ call: Int) -> Bool {
        let phone = phones[calls[call].phone]
        return phone.index(of: call).flatMap { phone.calls[$0].peer?.tag.hasPrefix("\(node).") } ?? false
    }

    // MARK: The end

    mutating func settleAccounts() {
        compareMoney(call: nil)
        if let (transfer, call) = money.deniedAndDone() {
            broken(.toldTruth, "was told that \(transfer) was not done, the ledger has it", call: call)
        }
        if let call = calls.firstIndex(where: \.isOpen) {
            broken(.answers, "the call has not come to its end", call: call)
        }
        for center in centers where center.core.map({ $0.callCount > 0 }) ?? false {
            broken(.answers, "\(center.identity) still holds \(center.core?.callCount ?? 0) calls")
        }
        if let (session, call) = sessions.unrecorded() {
            broken(.oneRecord, "\(session) has no record", call: call)
        }
        if case .liveCalls(let live) = store.engine.perform(.liveCalls(limit: 10), at: storeTime),
            let first = live.first
        {
            broken(.oneRecord, "\(first.id) is still in the store", call: sessions.call(of: first.id))
        }
    }
}
