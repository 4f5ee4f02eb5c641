import NetworkIO
import Primitives
import SIP

/// What other threads say to the callers' signalling thread.
enum CallersMail: Sendable {
    case begin(CallersCore, Mailbox<CallerMediaMail>)
    case event(CallersEvent)
    case stream(StreamEvent)
    case ask(@Sendable (CallersProgress) -> Void)
}

/// How far a run is.
public struct CallersProgress: Sendable {
    public var placed: Int
    public var talking: Int
    public var answered: Int
    /// Failed or dropped so far.
    public var lost: Int
}

/// The signalling of all callers: bytes to messages, actions to sockets and to the audio thread.
struct CallersHandler: DatagramHandler {
    private var core: CallersCore?
    private var media: Mailbox<CallerMediaMail>?
    private var ports: CallerPorts
    private var sockets: [Int: DatagramSocket] = [:]
    private let streams: StreamTransport
    private let parser = MessageParser()
    private var actions: [CallersAction] = []
    private let finished: @Sendable ([CallerRecord]) -> Void

    init(ports: CallerPorts, streams: StreamTransport, finished: @escaping @Sendable ([CallerRecord]) -> Void) {
        self.ports = ports
        self.streams = streams
        self.finished = finished
    }

    // MARK: What comes in

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) {
        // What cannot be parsed is none of our calls'; a phone drops it.
        guard let message = try? parser.parse(bytes, transport: .udp) else { return }
        core?.receive(message, on: Flow(transport: .udp, remote: source, listener: listener), now: now, into: &actions)
        perform(now, &outbox)
    }

    mutating func receive(_ mail: CallersMail, now: MonotonicTime, into outbox: inout Outbox) {
        switch mail {
        case .begin(let core, let media):
            self.core = core
            self.media = media
            self.core?.start(now: now, into: &actions)
        case .event(let event): core?.handle(event, now: now, into: &actions)
        case .stream(.message(let bytes, let flow)):
            guard let message = try? parser.parse(bytes, transport: flow.transport) else { return }
            core?.receive(message, on: flow, now: now, into: &actions)
        case .stream(.unframeable(_, _, let flow)), .stream(.closed(let flow, _)), .stream(.connectFailed(let flow, _)):
            core?.handle(.unreachable(flow), now: now, into: &actions)
        case .ask(let answer): if let core { answer(CallersProgress(core)) }
        }
        perform(now, &outbox)
    }

    mutating func nextDeadline() -> MonotonicTime? { core?.nextDeadline() }

    mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {
        core?.fire(now: now, into: &actions)
        perform(now, &outbox)
    }

    mutating func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox
    ) {
        let flow = Flow(transport: .udp, remote: destination, listener: listener)
        core?.handle(.unreachable(flow), now: now, into: &actions)
        perform(now, &outbox)
    }

    // MARK: What is done

    /// Performs actions until none are left: binding a port answers at once and leads to more.
    private mutating func perform(_ now: MonotonicTime, _ outbox: inout Outbox) {
        while !actions.isEmpty {
            var batch: [CallersAction] = []
            swap(&batch, &actions)
            for action in batch { perform(action, now, &outbox) }
        }
    }

    private mutating func perform(_ action: CallersAction, _ now: MonotonicTime, _ outbox: inout Outbox) {
        switch action {
        case .send(let bytes, let flow):
            if flow.transport == .udp {
                outbox.send(bytes, to: flow.remote, listener: flow.listener)
            } else {
                streams.send(bytes, to: flow)
            }
        case .openMedia(let number): openMedia(number, now)
        case .media(let number, let order): perform(order, of: number)
        case .finished: finished(core?.records ?? [])
        }
    }

    private mutating func openMedia(_ number: Int, _ now: MonotonicTime) {
        do throws(SocketError) {
            let socket = try ports.take()
            sockets[number] = socket
            core?.handle(.mediaOpened(number, socket.local), now: now, into: &actions)
        } catch {
            core?.handle(.mediaRefused(number, error.description), now: now, into: &actions)
        }
    }

    private mutating func perform(_ order: MediaOrder, of number: Int) {
        switch order {
        case .talk(let agreement, let time):
            guard let socket = sockets[number] else { return }
            media?.post(.talk(number, socket, agreement, at: time))
        case .press(let digits): media?.post(.press(number, digits))
        case .awaitPause: media?.post(.awaitPause(number))
        case .close(let time):
            // The port is free when the audio thread has let go of it too.
            guard sockets.removeValue(forKey: number) != nil else { return }
            media?.post(.close(number, at: time))
        }
    }
}

extension CallersProgress {
    init(_ core: CallersCore) {
        let records = core.records
        placed = records.count
        talking = core.talkingCount
        answered = records.count { $0.answeredAt != nil }
        lost = records.count {
            switch $0.ending {
            case .failed, .dropped: true
            default: false
            }
        }
    }
}
