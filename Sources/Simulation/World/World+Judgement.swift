import Banking
import Primitives
import Session
import Store

/// The judgement of what callers noticed, and of what was written.
extension World {
    mutating func judge(_ news: PhoneNews, _ call: Int) {
        switch news {
        case .answered(let after):
            report.answered += 1
            calls[call].answeredAt = now
            judgeSetUp(call, after: after, status: 200)
        case .refused(let status, let after, let saysWhen):
            report.refused += 1
            if status == 503, !saysWhen { broken(.answers, "503 without Retry-After", call: call) }
            judgeSetUp(call, after: after, status: status)
        case .unanswered("INVITE", let began):
            // The 200 was lost, and the center that repeats it until its ACK comes is dead: only a takeover can mend that.
            if calls[call].isDisturbed, troubles.any(from: began + .seconds(-1), to: now) { return }
            // A set-up that access was in the middle of has to be dialed again.
            if troubles.any(of: [.access], from: began + .seconds(-1), to: began + .seconds(8)) { return }
            broken(.answers, "an INVITE had no final answer in \(Phone.limit)", call: call)
        case .unanswered(let method, let began):
            // A dead center may leave other requests to the caller's own time-out (RFC 4320 §4.2).
            guard !troubles.any(from: began, to: now) else { return }
            broken(.answers, "a \(method) had no final answer in \(Phone.limit)", call: call)
        case .unacknowledged:
            guard !troubles.any(from: now + .seconds(-40), to: now) else { return }
            broken(.rules, "the answer to a re-INVITE was never acknowledged", call: call)
        case .version(let detail, let isForward):
            // A center that died before its re-INVITE got through has used a version that the phone never saw.
            if isForward, sessions.claims(of: call) > 1 || calls[call].isDisturbed { return }
            // What was agreed since the last checkpoint that got through is unknown to whoever goes on from it.
            if sessions.claims(of: call) > 0, troubles.any(of: [.store, .cut], from: now + .seconds(-20), to: now) {
                return
            }
            broken(.rules, detail, call: call)
        case .outOfOrder(let detail):
            // A center that is cut off goes on for a moment beside the one that took over; the phone refuses it.
            if calls[call].isDisturbed || troubles.any(of: [.cut], from: now + .seconds(-15), to: now) { return }
            broken(.rules, detail, call: call)
        case .brokenRule(let detail): broken(.rules, detail, call: call)
        case .hungUpOn: judgeHangUp(call)
        case .over: ended(call)
        case .confirmed(let transfer):
            money.confirm(transfer)
            doomConfirmed(call)
        case .toldDone(let transfer): judgeDone(transfer, call)
        case .toldNot(let transfer):
            money.deny(transfer, call: call)
            note("hears that nothing was moved", call: call)
        case .toldUnknown: note("hears that it is not known yet", call: call)
        case .strangeSource(let source, let detail):
            // A center that access gave up for its silence, or the heir of one that died before its answer got out, may
            // speak until access has ended its late answer.
            if calls[call].isDisturbed || !calls[call].hearing.sources.contains(source) { return }
            broken(.rightAudio, detail, call: call)
        case .oldReadBack:
            // What was settled with a center that the store heard no more is open again at the next one.
            if troubles.any(of: [.store, .cut], from: now + .seconds(-20), to: now) { return }
            // So is what was settled in the last words of a center that had given the call away already.
            if sessions.claimedAt(call).map({ now - $0 < .seconds(30) }) ?? false { return }
            broken(.rightAudio, "a read-back that nobody asked for", call: call)
        case .wrongReadBack(let detail):
            // Keys in the moment in which a call is given away are the next center's, also where that refuses it.
            if sessions.claimedAt(call).map({ now - $0 < .seconds(60) }) ?? false { return }
            if calls[call].keyLostAt.map({ now - $0 < .seconds(60) }) ?? false { return }
            broken(.rightAudio, detail, call: call)
        case .wrongLanguage(let detail):
            // Who hears two centers at once, because one of them is cut off and does not know it yet, may answer one's
            // question to the other.
            let overlap = calls[call].hearing.doubleSince ?? calls[call].hearing.lastDouble
            if overlap.map({ now - $0 < .seconds(10) }) ?? false { return }
            broken(.rightAudio, detail, call: call)
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
        if facts.promises.keys.allSatisfy({ centers[$0].wasFull(since: facts.began) }) {
            if status == 503 { report.turnedAway += 1 }
            return
        }
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
        // Another center counts the time from the first answer by its own clock.
        if now - answered >= CenterNode.longestCall - .seconds(3) - clockDifference { return }
        broken(.callsLast, "the center hung up after \(now - answered) and said no goodbye", call: call)
    }

    /// How much the clocks of two centers, or one center's at two times, differ at most.
    private var clockDifference: Duration { clockSpread.upperBound - clockSpread.lowerBound }

    private mutating func ended(_ call: Int) {
        calls[call].isOpen = false
        calls[call].hearing.expectation = nil
        if let answered = calls[call].answeredAt { report.callTime += now - answered }
        guard calls[call].phone < settings.phones else { return }
        let pause = Duration.milliseconds(Int.random(in: 500...8_000, using: &random))
        events.schedule(.errand(calls[call].phone), at: now + pause)
    }

    private mutating func judgeDone(_ transfer: Transfer, _ call: Int) {
        report.toldDone += 1
        note("hears that \(transfer.amountMinor) were moved", call: call)
        guard case .transfers(let rows) = store.look(.transfers(limit: 100_000), at: storeTime) else {
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
        guard case .accounts(let rows) = store.look(.accounts(includingBank: true), at: storeTime),
            case .audit(let audit) = store.look(.audit, at: storeTime)
        else { return }
        if let wrong = money.compare(rows, audit) { broken(wrong.0, wrong.1, call: call) }
    }

    /// A record was written.
    mutating func ended(_ record: CallRecord, _ ownership: Ownership) {
        report.records += 1
        let call = sessions.call(of: record.id)
        note("record: \(record.end?.rawValue ?? "none") by \(ownership.node)", call: call)
        if record.end == .lost, call != nil { report.lost += 1 }
        guard let call, let kind = record.end, kind == .lost || kind == .operator else { return }
        if masters.contains(where: { $0.identity == ownership.node }) { return judgeLoss(call, record.id) }
        if record.takeovers > 0 { return judgeLoss(call, by: ownership.node, kind) }
        guard holds(ownership.node, call) else { return }
        // The answer's ACK was lost with the access node that had its transaction: no INVITE's answer finds its way any
        // more, and 64*T1 later the center gives up (RFC 6026 §7.2).
        if let answered = calls[call].answeredAt,
            troubles.any(of: [.access], from: calls[call].began + .seconds(-1), to: answered + .seconds(8))
        {
            return
        }
        broken(
            .callsLast, "\(ownership.node), which lives, ended a call as \(record.end?.rawValue ?? "")", call: call)
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
        if case .liveCalls(let live) = store.look(.liveCalls(limit: 10), at: storeTime),
            let first = live.first
        {
            broken(.oneRecord, "\(first.id) is still in the store", call: sessions.call(of: first.id))
        }
    }
}
