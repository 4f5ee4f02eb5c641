import Media
import Primitives
import SIP

/// What is heard, as facts instead of packets.
enum Heard: Sendable {
    /// Packets begin to come, whatever is in them.
    case flows
    /// Packets cease.
    case stops
    case clips([String], language: String)
    case music
    case echo
}

struct MediaFact: Sendable {
    var from: Endpoint
    var to: Endpoint
    var heard: Heard
}

/// The person who listens and presses keys.
extension Phone {
    static let pin = "246810"
    /// How long after its first packet the address of a source may be signalled.
    static let sourceLimit: Duration = .seconds(3)
    /// Clips that each stand for a place in the menu.
    static let questions = [
        "choose-language", "main-menu", "enter-customer-number", "enter-pin", "banking-menu", "confirm-or-cancel",
        "enter-payee", "enter-amount",
    ]

    mutating func hear(_ fact: MediaFact) {
        guard let at = calls.lastIndex(where: { $0.rtp == fact.to }) else {
            guard let last = calls.indices.last else { return }
            return tell(.wrongAudio("audio came to port \(fact.to.port), which no call of this phone uses"), last)
        }
        guard calls[at].isAnswered else { return }
        if case .stops = fact.heard { return fallSilent(at) }
        checkSource(fact.from, at)
        if case .flows = fact.heard { return calls[at].silence += 1 }
        calls[at].step += 1
        calls[at].keys = []
        switch (fact.heard, calls[at].errand.kind) {
        case (.flows, _), (.stops, _): break
        case (.music, .music), (.echo, .echo): calls[at].hasHeardAnything = true
        case (.clips(let names, let language), .bank), (.clips(let names, let language), .silent),
            (.clips(let names, let language), .forgetful), (.clips(let names, let language), .cancels):
            listen(names, language, at)
        default: tell(.wrongAudio("\(fact.heard) on line \(calls[at].errand.line)"), at)
        }
    }

    /// Nothing at all comes: some hang up at once, most wait for a while.
    private mutating func fallSilent(_ at: Int) {
        calls[at].silence += 1
        let isQuick = Int.random(in: 0..<10, using: &random) == 0
        let patience = isQuick ? 50...1_400 : 6_000...15_000
        schedule(
            .impatience(silence: calls[at].silence), at, .milliseconds(Int.random(in: patience, using: &random)))
    }

    /// Media may come before their address is signalled, but the address must follow.
    private mutating func checkSource(_ source: Endpoint, _ at: Int) {
        guard !calls[at].sources.contains(source), calls[at].strangeSource != source else { return }
        calls[at].strangeSource = source
        schedule(.sourceDue(source), at, Self.sourceLimit)
    }

    mutating func sourceDue(_ source: Endpoint, _ at: Int) {
        guard calls[at].strangeSource == source else { return }
        calls[at].strangeSource = nil
        guard calls[at].isAnswered, !calls[at].sources.contains(source) else { return }
        tell(
            .strangeSource(
                source, "audio came from \(source), signalled was \(calls[at].remoteRTP?.description ?? "none")"), at)
    }

    private mutating func listen(_ names: [String], _ language: String, _ at: Int) {
        if !calls[at].hasHeardAnything, !names.contains("welcome") {
            return tell(.wrongAudio("the call began with \(names.prefix(4))"), at)
        }
        calls[at].hasHeardAnything = true
        if names.contains("goodbye") || names.contains("customer-locked") { calls[at].hasHeardGoodbye = true }
        calls[at].question = Self.questions.first { names.contains($0) }.map { ($0, now, hasReplied: false) }
        hearResult(names, at)
        if case .silent = calls[at].errand.kind { return }
        guard let keys = reply(to: names, language, at), !keys.isEmpty else { return }
        calls[at].keys = Array(keys)
        // Some wait for the end, some know the menu by heart.
        schedule(.press(step: calls[at].step), at, .milliseconds(Int.random(in: 150...3_500, using: &random)))
    }

    private mutating func hearResult(_ names: [String], _ at: Int) {
        guard let transfer = calls[at].pending else { return }
        if names.contains("transfer-done") {
            calls[at].pending = nil
            tell(.toldDone(transfer), at)
        } else if names.contains("transfer-refused") || names.contains("transfer-unavailable") {
            calls[at].pending = nil
            tell(.toldNot(transfer), at)
        } else if names.contains("transfer-unknown") {
            calls[at].pending = nil
            tell(.toldUnknown(transfer), at)
        }
    }

    private mutating func reply(to names: [String], _ language: String, _ at: Int) -> String? {
        let call = calls[at]
        let asked = Set(names)
        if asked.contains("choose-language") { return call.errand.language == "zh" ? "1" : "2" }
        if language != call.errand.language {
            tell(.wrongLanguage("spoke \(language) to a caller who chose \(call.errand.language)"), at)
            return hangUpKeys(at)
        }
        if asked.contains("main-menu") { return "1" }
        if asked.contains("enter-customer-number") { return "\(call.errand.customer)" }
        if asked.contains("enter-pin") {
            if case .forgetful = call.errand.kind { return "13579\(Int.random(in: 0...9, using: &random))" }
            return Self.pin
        }
        if asked.contains("banking-menu") {
            calls[at].reading = nil
            return nextItem(at)
        }
        guard asked.contains("confirm-or-cancel") else {
            // Asked for again after a takeover: the order in hand is still meant.
            var order = call.reading?.transfer
            if order == nil, case .transfer(let next, _)? = call.agenda.first { order = next }
            guard let transfer = order else { return nil }
            if asked.contains("enter-payee") { return "\(transfer.to)" }
            return asked.contains("enter-amount") ? Self.keyed(transfer.amountMinor) : nil
        }
        return confirm(names, language, at)
    }

    private mutating func confirm(_ names: [String], _ language: String, _ at: Int) -> String? {
        if calls[at].reading == nil {
            guard case .transfer(let transfer, let confirms)? = calls[at].agenda.first else {
                tell(.oldReadBack, at)
                return "2"
            }
            calls[at].agenda.removeFirst()
            calls[at].reading = (transfer, confirms)
        }
        guard let (transfer, confirms) = calls[at].reading else { return nil }
        let amount = library.clips(.amount(minor: transfer.amountMinor, currency: "CNY"), language: language)
        let payee = library.clips(.digits("\(transfer.to)", groups: [4, 4]), language: language)
        guard names.contains(run: amount), names.contains(run: payee) else {
            // A late INFO may put a key into the wrong place, and a takeover may swallow the first keys; that is what
            // the read-back is for.
            if calls[at].errand.pressesByINFO || calls[at].movedAt.map({ now - $0 < .seconds(60) }) ?? false {
                return "2"
            }
            tell(.wrongReadBack("read back \(names), ordered \(transfer)"), at)
            return "2"
        }
        guard confirms else { return "2" }
        calls[at].pending = transfer
        tell(.confirmed(transfer), at)
        return "1"
    }

    private mutating func nextItem(_ at: Int) -> String {
        switch calls[at].agenda.first {
        case .balance:
            calls[at].agenda.removeFirst()
            return "1"
        case .transfer: return "3"
        case nil: return Bool.random(using: &random) ? "#" : hangUpKeys(at)
        }
    }

    private mutating func hangUpKeys(_ at: Int) -> String {
        schedule(.hangUp, at, .milliseconds(Int.random(in: 100...2_000, using: &random)))
        return ""
    }

    static func keyed(_ minor: Int64) -> String {
        let fen = minor % 100
        return "\(minor / 100)" + (fen == 0 ? "#" : "*\(fen < 10 ? "0" : "")\(fen)#")
    }

    // MARK: Keys

    mutating func pressNext(_ at: Int) {
        guard !calls[at].keys.isEmpty, let remote = calls[at].remoteRTP, let peer = calls[at].peer else { return }
        guard !calls[at].errand.pressesByINFO || !calls[at].infoInFlight else { return }
        let key = calls[at].keys.removeFirst()
        calls[at].question?.hasReplied = true
        guard calls[at].errand.pressesByINFO else {
            outputs.append(.press(key, from: calls[at].rtp, to: remote))
            return pressLater(at)
        }
        calls[at].infoInFlight = true
        calls[at].infoSentAt = now
        calls[at].cseq += 1
        // The next key waits for the answer, or the keys could change places.
        send(
            "INFO", in: at, towards: peer, contentType: "application/dtmf-relay",
            body: "Signal=\(key)\r\nDuration=160\r\n")
    }

    mutating func pressLater(_ at: Int) {
        guard !calls[at].keys.isEmpty else { return }
        schedule(.press(step: calls[at].step), at, .milliseconds(Int.random(in: 80...300, using: &random)))
    }
}

extension [String] {
    /// Whether these stand in it one after another.
    func contains(run: [String]) -> Bool {
        guard !run.isEmpty, run.count <= count else { return run.isEmpty }
        return (0...(count - run.count)).contains { Array(self[$0..<($0 + run.count)]) == run }
    }
}
