import Primitives
import Session

/// What one caller's ear has.
struct Hearing: Sendable {
    /// Who is heard now.
    var sources: [Endpoint] = []
    /// Since when nobody is.
    var silentSince: MonotonicTime?
    /// Since when more than one is.
    var doubleSince: MonotonicTime?
    /// When that was so last.
    var lastDouble: MonotonicTime?
    var expectation: Expectation?
    var serial = 0
    /// Who was heard last.
    var lastCenter: NodeName?

    /// The center is lost; another one has to be heard soon.
    struct Expectation: Sendable {
        var center: Int
        var identity: NodeIdentity
        var since: MonotonicTime
        /// What was asked when the center was lost and not yet replied to.
        var question: String?
        var isHeardAgain = false
    }
}

/// I4: an answered call outlives its center.
extension World {
    mutating func heard(_ fact: MediaFact) {
        guard let index = phoneIndex(fact.to) else { return }
        let at = phones[index].calls.lastIndex { $0.rtp == fact.to }
        if let at {
            let call = phones[index].calls[at].number
            guard follow(fact, call, isOnHold: phones[index].calls[at].onHold) else { return }
        }
        withPhone(index) { $0.hear(fact) }
    }

    /// Keeps the books; whether the person notices.
    private mutating func follow(_ fact: MediaFact, _ call: Int, isOnHold: Bool) -> Bool {
        guard calls.indices.contains(call) else { return true }
        switch fact.heard {
        case .flows:
            guard !calls[call].hearing.sources.contains(fact.from) else { return false }
            calls[call].hearing.sources.append(fact.from)
            if calls[call].hearing.sources.count == 2 { calls[call].hearing.doubleSince = now }
            heardAgain(fact.from, call)
            calls[call].hearing.silentSince = nil
            return true
        case .stops:
            guard let place = calls[call].hearing.sources.firstIndex(of: fact.from) else { return false }
            calls[call].hearing.sources.remove(at: place)
            if calls[call].hearing.sources.count == 1, let since = calls[call].hearing.doubleSince {
                report.longestOverlap = max(report.longestOverlap, now - since)
                calls[call].hearing.doubleSince = nil
                calls[call].hearing.lastDouble = now
            }
            guard calls[call].hearing.sources.isEmpty else { return false }
            if calls[call].answeredAt != nil, calls[call].isOpen { note("hears nothing any more", call: call) }
            calls[call].hearing.silentSince = isOnHold ? nil : now
            return !isOnHold
        case .clips(let names, _):
            if settings.tracesAll { note("hears \(names.joined(separator: " "))", call: call) }
            resumed(names, fact.from, call)
            return true
        case .music, .echo: return true
        }
    }

    private mutating func heardAgain(_ source: Endpoint, _ call: Int) {
        defer { calls[call].hearing.lastCenter = Places.node(at: source) }
        guard let expectation = calls[call].hearing.expectation, !expectation.isHeardAgain else {
            return judgeHandover(source, call)
        }
        guard Places.node(at: source) != .center(expectation.center) else { return }
        calls[call].hearing.expectation?.isHeardAgain = true
        let gap = calls[call].hearing.silentSince.map { now - $0 } ?? .zero
        report.resumed += 1
        note("is heard by another center, \(now - expectation.since) after the loss, gap \(gap)", call: call)
        measure(gap, after: expectation)
    }

    /// The gap counts from the last loss, where the rules say anything of it at all.
    private mutating func measure(_ gap: Duration, after expectation: Hearing.Expectation) {
        guard let loss = loss(of: expectation.center, since: expectation.since, until: now),
            !lacksRoom(expectation)
        else { return }
        if loss.isWithoutMaster { report.resumedWithoutLeader += 1 }
        if loss.isSecond { report.resumedAfterTwo += 1 }
        report.longestGap = max(report.longestGap, min(gap, now - loss.lastBlow))
    }

    /// Some center had no room for it, at least for a time: what another one has is taken half a second later.
    private func lacksRoom(_ expectation: Hearing.Expectation) -> Bool {
        heirs(of: expectation.center, since: expectation.since).contains { $0.wasFull(since: expectation.since) }
    }

    /// Another center is heard, and none was lost: the last one gave the call away.
    private mutating func judgeHandover(_ source: Endpoint, _ call: Int) {
        guard let last = calls[call].hearing.lastCenter, last != Places.node(at: source), calls[call].isOpen,
            let process = process(last), process.isAtWork, process.since + .seconds(10) < now
        else { return }
        report.handovers += 1
        guard let silent = calls[call].hearing.silentSince else { return }
        report.longestHandoverGap = max(report.longestHandoverGap, now - silent)
        guard now - silent > Simulation.handoverLimit,
            !troubles.any(of: [.store, .cut, .access], from: silent + .seconds(-8), to: now)
        else { return }
        broken(.callsLast, "a gap of \(now - silent) when the call was given to another center", call: call)
    }

    /// The first words of the new center: the question that was open when the old one was lost.
    private mutating func resumed(_ names: [String], _ source: Endpoint, _ call: Int) {
        guard let expectation = calls[call].hearing.expectation else { return }
        // The last words of the lost center were still on their way.
        if Places.node(at: source) == .center(expectation.center) {
            calls[call].hearing.expectation?.question = nil
            return
        }
        guard expectation.isHeardAgain else { return }
        calls[call].hearing.expectation?.question = nil
        guard let question = expectation.question, !mayHaveGoneOn(call, expectation) else { return }
        report.positionsKept += 1
        guard !names.contains(question) else { return }
        broken(
            .samePlace, "was asked \(question) when the center was lost, now hears \(names.prefix(6))", call: call)
    }

    /// A key that was pressed while the center stood still was heard when it went on, before it knew that it was fenced.
    private func mayHaveGoneOn(_ call: Int, _ expectation: Hearing.Expectation) -> Bool {
        let phone = phones[calls[call].phone]
        guard !sessions.wasKilled(expectation.identity), let at = phone.index(of: call) else { return false }
        return phone.calls[at].question?.hasReplied ?? false
    }

    // MARK: Expectations

    /// A center is gone, stands still or is cut off: those who hear it should hear another one soon.
    mutating func expectTakeover(of index: Int) {
        let identity = centers[index].identity
        for call in calls.indices where calls[call].isOpen && calls[call].answeredAt != nil {
            guard calls[call].hearing.sources.contains(where: { Places.node(at: $0) == .center(index) }),
                let answered = calls[call].answeredAt
            else { continue }
            report.orphaned += 1
            guard settings.takesOver, let stored = storedAt(call), stored < now, answered < now else { continue }
            calls[call].hearing.serial += 1
            var expectation = Hearing.Expectation(center: index, identity: identity, since: now)
            let phone = phones[calls[call].phone]
            // What was said to the store a moment ago may be lost with the center.
            if let question = phone.index(of: call).flatMap({ phone.calls[$0].question }), !question.hasReplied,
                now - question.at > .milliseconds(100),
                !troubles.any(of: [.store, .cut], from: now + .seconds(-12), to: now)
            {
                expectation.question = question.name
            }
            calls[call].hearing.expectation = expectation
            events.schedule(
                .hearingDue(call: call, serial: calls[call].hearing.serial),
                at: now + Simulation.gapLimit + network.media)
        }
    }

    private func storedAt(_ call: Int) -> MonotonicTime? {
        let phone = phones[calls[call].phone]
        return phone.index(of: call).flatMap { phone.calls[$0].peer?.tag }.flatMap { NodeIdentity(tag: $0) }
            .flatMap { sessions.storedAt(call, at: $0) }
    }

    mutating func hearingDue(_ call: Int, _ serial: Int) {
        guard calls[call].isOpen, calls[call].hearing.serial == serial,
            let expectation = calls[call].hearing.expectation, !expectation.isHeardAgain
        else { return }
        // Who is on hold hears nothing, whoever has the call.
        let phone = phones[calls[call].phone]
        if let at = phone.index(of: call), phone.calls[at].onHold { return }
        // The same center is back before anybody held it for dead.
        if calls[call].hearing.sources.contains(where: { Places.node(at: $0) == .center(expectation.center) }) {
            return
        }
        guard let loss = loss(of: expectation.center, since: expectation.since, until: now), !lacksRoom(expectation)
        else { return }
        let due = loss.lastBlow + Simulation.gapLimit + network.media
        guard due <= now else { return _ = events.schedule(.hearingDue(call: call, serial: serial), at: due) }
        broken(
            .callsLast,
            "not heard again within \(Simulation.gapLimit) after \(expectation.identity) was lost"
                + (loss.isSecond ? " and another center" : "") + (loss.isWithoutMaster ? " and a master" : ""),
            call: call)
    }

    /// A center took a session over.
    mutating func claimed(_ session: SessionID, from: Ownership, by: NodeIdentity) {
        report.claims += 1
        note("\(by) claims \(session) from \(from.node)", call: sessions.call(of: session))
    }
}
