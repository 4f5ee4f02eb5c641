import Banking
import Media
import MediaPlane
import Menu
import NetworkIO
import NodeRuntime
import Primitives
import Routing
import SIP
import Session
import Store

/// What other threads say to a center's loop.
public enum CenterMail: Sendable {
    case event(CenterEvent)
    case media(StreamID, MediaEvent)
    case stream(StreamEvent)
    /// Answered on the loop's thread.
    case report(@Sendable (CenterReport) -> Void)
    /// Answered on the loop's thread; costs time in proportion to the calls.
    case liveCalls(@Sendable ([LiveCall]) -> Void)
}

/// What a center tells of itself, for `/health` and metrics.
public struct CenterReport: Sendable {
    public var calls: Int
    public var limit: Int
    /// Whether it takes new calls.
    public var state: NodeState
    public var isIdle: Bool
}

/// Everything that a center's loop works with besides its core.
struct CenterSurroundings: Sendable {
    var mailbox: Mailbox<CenterMail>
    var streams: StreamTransport
    var media: MediaLoop
    /// RTP's address as callers reach it.
    var mediaAddress: IPAddress
    var store: any Store
    var bank: LedgerBank
    var music: ClipID?
    var metrics: CenterMetrics
    /// Makes the node's next identity, unless it has one already.
    var renewIdentity: @Sendable (_ dead: NodeIdentity) -> Void
}

/// The loop's side of a center: bytes to messages, actions to sockets, threads and the store.
struct CenterHandler: DatagramHandler {
    private var core: CenterCore
    private let around: CenterSurroundings
    private let parser = MessageParser()
    private var actions: [CenterAction] = []
    private var streamOfCall: [CallHandle: StreamID] = [:]
    private var callOfStream: [StreamID: CallHandle] = [:]
    private var unsaid: (isMuted: Bool, asOf: MonotonicTime)?
    /// Streams whose end the media loop had no room to hear of.
    private var unclosed: [StreamID] = []

    init(core: CenterCore, around: CenterSurroundings) {
        self.core = core
        self.around = around
    }

    // MARK: What comes in

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) {
        let flow = Flow(transport: .udp, remote: source, listener: listener)
        receive(at: moment(now), on: flow, into: &outbox) { parser throws(SIPParseError) in
            try parser.parse(bytes, transport: .udp)
        }
    }

    mutating func receive(_ mail: CenterMail, now: MonotonicTime, into outbox: inout Outbox) {
        let now = moment(now)
        switch mail {
        case .event(let event): core.handle(event, at: now, into: &actions)
        case .media(let id, let event):
            guard let call = callOfStream[id] else { return }
            core.handle(.media(call, event), at: now, into: &actions)
        case .stream(.message(let bytes, let flow)):
            return receive(at: now, on: flow, into: &outbox) { parser throws(SIPParseError) in
                try parser.parse(bytes, transport: flow.transport)
            }
        case .stream(.unframeable(let head, let failure, let flow)):
            core.refuse(parser.refusal(of: head, failure), on: flow, into: &actions)
            core.handle(.unreachable(flow), at: now, into: &actions)
        case .stream(.closed(let flow, _)), .stream(.connectFailed(let flow, _)):
            core.handle(.unreachable(flow), at: now, into: &actions)
        case .report(let answer):
            return answer(
                CenterReport(
                    calls: core.callCount, limit: core.settings.callLimit, state: core.state, isIdle: core.isIdle))
        case .liveCalls(let answer): return answer(core.liveCalls)
        }
        perform(at: now, into: &outbox)
    }

    private mutating func receive(
        at now: Moment, on flow: Flow, into outbox: inout Outbox,
        parse: (MessageParser) throws(SIPParseError) -> SIP.Message
    ) {
        do throws(SIPParseError) {
            let message = try parse(parser)
            around.metrics.received(message)
            core.receive(message, on: flow, at: now, into: &actions)
        } catch {
            core.refuse(error, on: flow, into: &actions)
        }
        perform(at: now, into: &outbox)
    }

    /// Asked in each round, which makes it the beat by which the media loop knows that this one runs.
    mutating func nextDeadline() -> MonotonicTime? {
        around.media.signallingIsAlive(at: NodeClock.now())
        while let stream = unclosed.last, around.media.send(.close, to: stream) { unclosed.removeLast() }
        if let unsaid, around.media.setMuted(unsaid.isMuted, asOf: unsaid.asOf) { self.unsaid = nil }
        return core.nextDeadline()
    }

    /// What is in the outbox was decided before the standstill, by a node that may be dead since (TAKEOVER.md, The old
    /// owner).
    mutating func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox) {
        if gap >= Standing.standstill { outbox.discardAll() }
        let moment = moment(now)
        core.handle(.stoodStill(gap, until: now, hasBacklog: true), at: moment, into: &actions)
        perform(at: moment, into: &outbox)
    }

    mutating func caughtUp(now: MonotonicTime, into outbox: inout Outbox) {
        let now = moment(now)
        core.handle(.caughtUp, at: now, into: &actions)
        perform(at: now, into: &outbox)
    }

    mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {
        let now = moment(now)
        core.fire(at: now, into: &actions)
        perform(at: now, into: &outbox)
    }

    mutating func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox
    ) {
        let now = moment(now)
        core.handle(
            .unreachable(Flow(transport: .udp, remote: destination, listener: listener)), at: now, into: &actions)
        perform(at: now, into: &outbox)
    }

    private func moment(_ now: MonotonicTime) -> Moment { Moment(monotonic: now, wall: WallTime.now()) }

    // MARK: What is done

    /// Performs actions until none are left: opening a stream answers at once and may lead to more.
    private mutating func perform(at now: Moment, into outbox: inout Outbox) {
        defer { around.metrics.calls(core.callCount, takeoversWaiting: core.takeoversWaiting) }
        while !actions.isEmpty {
            var batch: [CenterAction] = []
            swap(&batch, &actions)
            for action in batch { perform(action, at: now, into: &outbox) }
            if actions.isEmpty {
                // Its storage serves the next event.
                batch.removeAll(keepingCapacity: true)
                swap(&batch, &actions)
                return
            }
        }
    }

    private mutating func perform(_ action: CenterAction, at now: Moment, into outbox: inout Outbox) {
        switch action {
        case .send(let bytes, let flow):
            if flow.transport == .udp {
                outbox.send(bytes, to: flow.remote, listener: flow.listener)
            } else {
                around.streams.send(bytes, to: flow)
            }
            around.metrics.sent(bytes)
        case .media(let call, let command): perform(command, of: call, at: now)
        case .store(let request, let purpose): submit(request, for: purpose)
        case .bank(let call, let operation, let request, let write):
            let mailbox = around.mailbox
            around.bank.perform(request, under: write) { outcome in
                mailbox.post(.event(.bank(call, operation, outcome)))
            }
        case .renewIdentity(let dead): around.renewIdentity(dead)
        case .mute(let isMuted, let asOf):
            // It must not be lost: said again in the next round if the media loop takes no more now.
            unsaid = around.media.setMuted(isMuted, asOf: asOf) ? nil : (isMuted, asOf)
        case .note(let note): around.metrics.count(note)
        }
    }

    private func submit(_ request: StoreRequest, for purpose: StorePurpose) {
        guard purpose != .nothing else { return around.store.submit(request) { _ in } }
        let mailbox = around.mailbox
        around.store.submit(request) { reply in mailbox.post(.event(.stored(purpose, reply))) }
    }

    private mutating func perform(_ command: MediaCommand, of call: CallHandle, at now: Moment) {
        if case .open = command { return openStream(of: call, at: now) }
        guard let stream = streamOfCall[call] else { return }
        let loop = around.media
        switch command {
        case .open: break
        case .apply(let agreement, let signalledFrom, let former):
            loop.send(.apply(agreement, signalledFrom: signalledFrom, former: former), to: stream)
        case .play(let playback, let items):
            loop.send(.play(items, id: playback, stopsOnDigit: false, loops: false), to: stream)
        case .music:
            guard let music = around.music else { return }
            loop.send(.play([.clip(music)], id: PlaybackID(rawValue: 0), stopsOnDigit: false, loops: true), to: stream)
        case .stopPlaying: loop.send(.stop, to: stream)
        case .echo: loop.send(.echo, to: stream)
        case .close:
            streamOfCall[call] = nil
            callOfStream[stream] = nil
            if !loop.send(.close, to: stream) { unclosed.append(stream) }
        }
    }

    private mutating func openStream(of call: CallHandle, at now: Moment) {
        do throws(StreamRefusal) {
            let opened = try around.media.openStream()
            streamOfCall[call] = opened.id
            callOfStream[opened.id] = call
            let advertised = Endpoint(around.mediaAddress, port: opened.rtp.port)
            core.handle(.mediaOpened(call, advertised), at: now, into: &actions)
        } catch {
            around.metrics.streamRefused(error)
            core.handle(.mediaRefused(call), at: now, into: &actions)
        }
    }
}
