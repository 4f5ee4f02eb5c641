import Primitives

/// A handler and its mailbox, as the runner calls them.
class LoopWork {
    func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) {}
    func receive(_ bytes: UnsafeRawBufferPointer, onSocket id: UInt32, now: MonotonicTime, into outbox: inout Outbox) {}
    func deliverMessages(now: MonotonicTime, into outbox: inout Outbox) {}
    func nextDeadline() -> MonotonicTime? { nil }
    func fire(now: MonotonicTime, into outbox: inout Outbox) {}
    func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox) {}
    func caughtUp(now: MonotonicTime, into outbox: inout Outbox) {}
    func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox
    ) {}
    func socketFailed(_ id: UInt32, error: Int32, now: MonotonicTime, into outbox: inout Outbox) {}
    func stopping(now: MonotonicTime, into outbox: inout Outbox) {}

    func prepareToSleep() -> Bool { true }
    func wokeUp() {}
    func clearWakeUp() {}
}

/// Passes each call on to one concrete handler: a virtual call and a witness, no look-up of types.
final class HandlerWork<Handler: DatagramHandler>: LoopWork {
    private var handler: Handler
    private let mailbox: Mailbox<Handler.Message>
    private var messages: [Handler.Message] = []

    init(_ handler: Handler, mailbox: Mailbox<Handler.Message>) {
        self.handler = handler
        self.mailbox = mailbox
    }

    override func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox
    ) { handler.receive(bytes, from: source, listener: listener, now: now, into: &outbox) }

    override func receive(
        _ bytes: UnsafeRawBufferPointer, onSocket id: UInt32, now: MonotonicTime, into outbox: inout Outbox
    ) { handler.receive(bytes, onSocket: id, now: now, into: &outbox) }

    override func deliverMessages(now: MonotonicTime, into outbox: inout Outbox) {
        guard mailbox.depth > 0 else { return }
        mailbox.takeAll(into: &messages)
        for index in messages.indices { handler.receive(messages[index], now: now, into: &outbox) }
        messages.removeAll(keepingCapacity: true)
    }

    override func nextDeadline() -> MonotonicTime? { handler.nextDeadline() }

    override func fire(now: MonotonicTime, into outbox: inout Outbox) { handler.fire(now: now, into: &outbox) }

    override func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox) {
        handler.ranLate(by: gap, now: now, into: &outbox)
    }

    override func caughtUp(now: MonotonicTime, into outbox: inout Outbox) {
        handler.caughtUp(now: now, into: &outbox)
    }

    override func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox
    ) { handler.refused(by: destination, error: error, listener: listener, now: now, into: &outbox) }

    override func socketFailed(_ id: UInt32, error: Int32, now: MonotonicTime, into outbox: inout Outbox) {
        handler.socketFailed(id, error: error, now: now, into: &outbox)
    }

    override func stopping(now: MonotonicTime, into outbox: inout Outbox) {
        handler.stopping(now: now, into: &outbox)
    }

    override func prepareToSleep() -> Bool { mailbox.prepareToSleep() }
    override func wokeUp() { mailbox.wokeUp() }
    override func clearWakeUp() { mailbox.clearWakeUp() }
}
