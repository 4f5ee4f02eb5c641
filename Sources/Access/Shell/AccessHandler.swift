import NetworkIO
import Primitives
import Routing
import SIP
import Synchronization
import Telemetry

/// What other threads say to an access node's loop.
public enum AccessMail: Sendable {
    case event(AccessEvent)
    case stream(StreamEvent)
}

/// What an access node's loop works with besides its core. None of it waits.
struct AccessSurroundings: Sendable {
    var streams: StreamTransport
    /// A table came into use.
    var adopted: @Sendable (RouteTable) -> Void
    var report: @Sendable (String, Complaint) -> Void
    /// What the node says of itself, renewed a few times a second.
    var published: PublishedReport
    var setUpTimes: Histogram
}

/// The last report of the loop, for other threads.
final class PublishedReport: Sendable {
    private let report: Mutex<AccessReport>

    init(_ report: AccessReport) { self.report = Mutex(report) }

    var value: AccessReport { report.withLock { $0 } }
    func renew(_ new: AccessReport) { report.withLock { $0 = new } }
}

/// The loop's side of an access node: bytes to messages, actions to sockets and threads.
struct AccessHandler: DatagramHandler {
    /// How old a published report may be, in a node that works.
    private static let publishInterval: Duration = .milliseconds(250)

    private var core: AccessCore
    private let around: AccessSurroundings
    private let parser = MessageParser()
    private var actions: [AccessAction] = []
    private var publicationDue = MonotonicTime.zero
    private var isPublished = false

    init(core: AccessCore, around: AccessSurroundings) {
        self.core = core
        self.around = around
    }

    // MARK: What comes in

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) {
        let flow = Flow(transport: .udp, remote: source, listener: listener)
        do throws(SIPParseError) {
            core.receive(try parser.parse(bytes, transport: .udp), on: flow, now: now, into: &actions)
        } catch {
            core.refuse(error, on: flow, now: now, into: &actions)
        }
        perform(into: &outbox)
    }

    mutating func receive(_ mail: AccessMail, now: MonotonicTime, into outbox: inout Outbox) {
        switch mail {
        case .event(let event): core.handle(event, now: now, into: &actions)
        case .stream(.message(let bytes, let flow)): receive(bytes, on: flow, now: now)
        case .stream(.unframeable(let head, let failure, let flow)):
            core.refuse(parser.refusal(of: head, failure), on: flow, now: now, into: &actions)
        case .stream(.closed(let flow, _)): core.handle(.closed(flow), now: now, into: &actions)
        case .stream(.connectFailed(let flow, _)): core.handle(.unreachable(flow), now: now, into: &actions)
        }
        perform(into: &outbox)
    }

    private mutating func receive(_ bytes: [UInt8], on flow: Flow, now: MonotonicTime) {
        do throws(SIPParseError) {
            core.receive(try parser.parse(bytes, transport: flow.transport), on: flow, now: now, into: &actions)
        } catch {
            core.refuse(error, on: flow, now: now, into: &actions)
        }
    }

    mutating func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox
    ) {
        let flow = Flow(transport: .udp, remote: destination, listener: listener)
        core.handle(.unreachable(flow), now: now, into: &actions)
        perform(into: &outbox)
    }

    mutating func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox) {
        core.handle(.starved, now: now, into: &actions)
        perform(into: &outbox)
    }

    // MARK: Time

    mutating func nextDeadline() -> MonotonicTime? {
        let next = core.nextWakeUp()
        guard !isPublished else { return next }
        return next.map { min($0, publicationDue) } ?? publicationDue
    }

    mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {
        if let deadline = core.nextDeadline(), deadline <= now {
            core.fire(now: now, into: &actions)
            perform(into: &outbox)
        }
        guard !isPublished, publicationDue <= now else { return }
        publicationDue = now + Self.publishInterval
        isPublished = true
        for time in core.takeSetUpTimes() { around.setUpTimes.record(time) }
        around.published.renew(core.report)
    }

    // MARK: What is done

    private mutating func perform(into outbox: inout Outbox) {
        isPublished = false
        for action in actions {
            switch action {
            case .send(let bytes, let flow):
                if flow.transport == .udp {
                    outbox.send(bytes, to: flow.remote, listener: flow.listener)
                } else {
                    around.streams.send(bytes, to: flow)
                }
            case .adopted(let table): around.adopted(table)
            case .report(let center, let complaint): around.report(center, complaint)
            }
        }
        actions.removeAll(keepingCapacity: true)
    }
}
