import Banking
import Foundation
import Media
import Menu
import Primitives
import Routing
import SDP
import SIP
import Session
import Speech
import Store
import Testing

@testable import Center

/// A center's core on virtual time, with a media plane, a store and a bank that answer as a test wants it.
final class CenterBench {
    struct Sent {
        var message: Message
        var flow: Flow
        var at: MonotonicTime
    }

    enum StoreMode { case answers, away, silent }

    var core: CenterCore
    var now = Moment(monotonic: .zero, wall: WallTime(milliseconds: 1_770_000_000_000))
    var storeMode = StoreMode.answers
    /// What the store says to a request instead of `.done`.
    /// The shared store's bank runs what it is asked and answers at once.
    var bankAnswers = true
    var replies: (StoreRequest) -> StoreReply? = { _ in nil }
    /// Answers that are on their way for as long as a test wants.
    var holdsBack: (StorePurpose) -> Bool = { _ in false }
    private(set) var heldBack: [StorePurpose] = []
    var hasPorts = true
    /// A store that centers share; what it answers is right.
    let shared: SharedStore?

    private(set) var sent: [Sent] = []
    private(set) var actions: [CenterAction] = []
    private(set) var requests: [StoreRequest] = []
    /// What a silent store was asked.
    private(set) var unanswered: [(StoreRequest, StorePurpose)] = []
    private(set) var media: [(call: CallHandle, command: MediaCommand)] = []
    private(set) var bank: [(call: CallHandle, id: OperationCall, operation: BankOperation, write: SessionWrite)] = []
    private(set) var notes: [CenterNote] = []
    private(set) var renewals: [NodeIdentity] = []
    private(set) var mutings: [(isMuted: Bool, asOf: MonotonicTime)] = []
    private(set) var lastCall: CallHandle?
    private var nextPort: UInt16 = 10_000
    private var mustBeSound = true
    private let parser = MessageParser()

    init(
        seed: UInt64 = 1, shared: SharedStore? = nil, change: (inout CenterSettings) -> Void = { _ in }
    ) throws {
        var settings = try Self.settings()
        change(&settings)
        self.shared = shared
        core = CenterCore(settings: settings, seed: seed)
    }

    static let identity = NodeIdentity(name: "center-a", incarnation: "k3f9x2")
    static let nextIdentity = NodeIdentity(name: "center-a", incarnation: "k3f9x3")

    static let menu = try? shipped.get().menu

    static func settings() throws -> CenterSettings {
        let voices = Voices(catalogue: try shipped.get().catalogue, music: ClipID(rawValue: 1)) { _, _ in
            ClipID(rawValue: 0)
        }
        return CenterSettings(
            identity: try #require(identity), contacts: [.init(host: "10.0.0.1", port: 5081, hasTCP: true)],
            lines: ["95533": .menu(try shipped.get().menu), "9196": .echo, "9664": .music], voices: voices,
            sessionTimer: SessionTimerPolicy(), trusted: [try #require(CIDR("10.0.0.0/24"))])
    }

    /// The shipped menu and its sentences, read once.
    private static let shipped = Result { () throws -> (menu: MenuDefinition, catalogue: PromptCatalogue) in
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("sip-profiles")
        var catalogue = PromptCatalogue()
        for name in ["en.yaml", "zh.yaml"] {
            let text = try String(contentsOf: root.appendingPathComponent("prompts/\(name)"), encoding: .utf8)
            try catalogue.add(file: text, named: name)
        }
        let source = try MenuSource.read(root.appendingPathComponent("menus/telephone-banking.yaml").path)
        return (try MenuDefinition(source), catalogue)
    }

    // MARK: Driving

    func receive(_ text: String, from flow: Flow = Phone.flow) throws {
        let message = try parser.parse(Array(text.utf8), transport: flow.transport)
        var actions: [CenterAction] = []
        core.receive(message, on: flow, at: now, into: &actions)
        perform(actions)
    }

    /// What a socket would do with bytes of any kind.
    func receive(bytes: [UInt8], from flow: Flow = Phone.flow) {
        var actions: [CenterAction] = []
        do throws(SIPParseError) {
            core.receive(try parser.parse(bytes, transport: flow.transport), on: flow, at: now, into: &actions)
        } catch {
            core.refuse(error, on: flow, into: &actions)
            // It repeats the broken headers.
            mustBeSound = false
        }
        perform(actions)
        mustBeSound = true
    }

    func handle(_ event: CenterEvent) {
        var actions: [CenterAction] = []
        core.handle(event, at: now, into: &actions)
        perform(actions)
    }

    /// Lets time pass, stopping at every deadline on the way.
    func advance(by span: Duration) {
        let end = now.monotonic + span
        while let deadline = core.nextDeadline(), deadline <= end {
            move(to: max(deadline, now.monotonic))
            var actions: [CenterAction] = []
            core.fire(at: now, into: &actions)
            perform(actions)
        }
        move(to: end)
    }

    /// One round of the loop, in no time, if there is anything to do.
    func round() {
        guard let deadline = core.nextDeadline(), deadline <= now.monotonic else { return }
        var actions: [CenterAction] = []
        core.fire(at: now, into: &actions)
        perform(actions)
    }

    /// Lets time pass without the center, as when its process is stopped.
    func stop(for span: Duration) { move(to: now.monotonic + span) }

    private func move(to time: MonotonicTime) {
        now = Moment(monotonic: time, wall: now.wall + (time - now.monotonic))
    }

    private func perform(_ first: [CenterAction]) {
        var waiting = first
        while !waiting.isEmpty {
            let batch = waiting
            waiting = []
            for action in batch {
                actions.append(action)
                for event in answer(to: action) { core.handle(event, at: now, into: &waiting) }
            }
        }
    }

    private func answer(to action: CenterAction) -> [CenterEvent] {
        switch action {
        case .send(let bytes, let flow):
            do {
                // What leaves must be a sound message itself.
                sent.append(
                    Sent(message: try parser.parse(bytes, transport: flow.transport), flow: flow, at: now.monotonic))
            } catch  where mustBeSound {
                Issue.record("sent what cannot be parsed: \(error)\n\(String(decoding: bytes, as: UTF8.self))")
            } catch {}
        case .media(let call, let command):
            media.append((call, command))
            guard case .open = command else { break }
            lastCall = call
            guard hasPorts else { return [.mediaRefused(call)] }
            nextPort = nextPort == 65_534 ? 10_000 : nextPort + 2
            return [.mediaOpened(call, Endpoint(.v4(0x0A00_0001), port: nextPort))]
        case .store(let request, let purpose):
            requests.append(request)
            let wanted = replies(request)
            let reply = storeMode == .answers && wanted == nil ? shared?.perform(request, at: now) : nil
            guard purpose != .nothing else { break }
            if holdsBack(purpose) {
                heldBack.append(purpose)
                break
            }
            switch storeMode {
            case .answers: return [.stored(purpose, wanted ?? reply ?? Self.usualReply(to: request))]
            case .away: return [.stored(purpose, .unavailable(StoreTrouble(.locked, "away")))]
            case .silent: unanswered.append((request, purpose))
            }
        case .bank(let call, let id, let operation, let write):
            bank.append((call, id, operation, write))
            if bankAnswers, let outcome = shared?.perform(operation, under: write, at: now) {
                return [.bank(call, id, outcome)]
            }
        case .renewIdentity(let dead): renewals.append(dead)
        case .mute(let isMuted, let asOf): mutings.append((isMuted, asOf))
        case .note(let note): notes.append(note)
        }
        return []
    }

    private static func usualReply(to request: StoreRequest) -> StoreReply {
        if case .sessionsByCallID = request { .sessions([]) } else { .done }
    }

    /// A store that was silent answers all it was asked.
    func answerStore(_ reply: StoreReply = .done) {
        let waiting = unanswered
        unanswered = []
        for (_, purpose) in waiting { handle(.stored(purpose, reply)) }
    }

    // MARK: What the caller does

    func press(_ digits: String) throws {
        for character in digits {
            handle(.media(try #require(lastCall), .digit(try #require(Digit(character)))))
        }
    }

    /// All prompts are heard to their end until the menu waits for something.
    func listen() throws {
        for _ in 0..<20 {
            guard let id = playing else { return }
            playedOut.insert(id)
            handle(.media(try #require(lastCall), .finishedPlaying(id)))
        }
    }

    private var playedOut: Set<PlaybackID> = []
    private var playing: PlaybackID? {
        for (_, command) in media.reversed() {
            switch command {
            case .play(let id, _): return playedOut.contains(id) ? nil : id
            case .stopPlaying, .close: return nil
            case .open, .apply, .music, .echo: continue
            }
        }
        return nil
    }

    // MARK: What came of it

    func responses(_ status: Int, to method: SIP.Method? = nil) -> [Sent] {
        sent.filter { $0.message.status == status && (method == nil || $0.message.cseq.method == method) }
    }

    func requestsSent(_ method: SIP.Method) -> [Sent] {
        sent.filter { $0.message.isRequest && $0.message.method == method }
    }

    var records: [CallRecord] {
        requests.compactMap { if case .end(let record, _) = $0 { record } else { nil } }
    }

    var opened: [SessionWrite] { requests.compactMap { if case .open(let write) = $0 { write } else { nil } } }

    var checkpoints: [SessionWrite] {
        requests.compactMap { if case .checkpoint(let write) = $0 { write } else { nil } }
    }

    var timeline: [TimelineEntry] {
        requests.flatMap { request -> [TimelineEntry] in
            if case .appendTimeline(_, let entries) = request { entries } else { [] }
        }
    }

    func isClosed(_ call: CallHandle?) -> Bool {
        media.contains { if case .close = $0.command { $0.call == call } else { false } }
    }

    var agreements: [MediaAgreement] {
        media.compactMap { if case .apply(let agreement, _, _) = $0.command { agreement } else { nil } }
    }

    func forgetSent() { sent = [] }

    // Not by way of `core`: a failed expectation would print all of it.
    var callCount: Int { core.callCount }
    var call: Call? { lastCall.flatMap { core.calls[$0] } }
    var isIdle: Bool { core.isIdle }
    var timerCount: Int { core.timers.count }
    var serverTransactions: Int { core.transactions.serverCount }

    /// The place of the first action that fits.
    func index(of fits: (CenterAction) -> Bool) -> Int? { actions.firstIndex(where: fits) }
}

extension CenterAction {
    func sends(_ start: String) -> Bool {
        if case .send(let bytes, _) = self {
            String(decoding: bytes.prefix(64), as: UTF8.self).hasPrefix(start)
        } else {
            false
        }
    }

    var opensSession: Bool { if case .store(.open, _) = self { true } else { false } }
}
