import Primitives

/// What a datagram loop does its work for. Everything is called on the loop's thread, one call at a time, and must
/// not wait for anything. The bytes of a datagram are lent for the call only.
///
/// In each round of the loop datagrams and messages come first and `fire` comes last, so that an answer that arrived
/// in time is never overtaken by its own time-out, not even after the process was frozen.
public protocol DatagramHandler: SendableMetatype {
    /// What other threads post to the loop's mailbox.
    associatedtype Message: Sendable

    /// A datagram arrived at a listener (by its place in the configuration).
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
        into outbox: inout Outbox)

    /// A message was posted to the mailbox.
    mutating func receive(_ message: Message, now: MonotonicTime, into outbox: inout Outbox)

    /// When `fire` has to be called next; nil for not at all. Asked once a round.
    mutating func nextDeadline() -> MonotonicTime?
    mutating func fire(now: MonotonicTime, into outbox: inout Outbox)

    /// The loop did not run for as long as `gap` (at least `LoopConfiguration.reportedGap`), because the process or
    /// the machine was frozen or a call took too long. Called before anything collected since then is sent;
    /// the handler may `discardAll()`.
    mutating func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox)

    /// After `ranLate`: what waited at the listeners since before that is handled; whatever is read from now on arrived
    /// after it.
    mutating func caughtUp(now: MonotonicTime, into outbox: inout Outbox)

    /// A datagram sent to `destination` came back as an ICMP error, or could not be sent: nobody listens there
    /// (ECONNREFUSED) or there is no way (EHOSTUNREACH, ENETUNREACH). `error` is errno.
    mutating func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox)

    /// A datagram arrived at a connected socket that the handler opened.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, onSocket id: UInt32, now: MonotonicTime, into outbox: inout Outbox)

    /// A connected socket's peer refused (ECONNREFUSED and the like; the socket stays open), or the socket could not
    /// be opened. `error` is errno.
    mutating func socketFailed(_ id: UInt32, error: Int32, now: MonotonicTime, into outbox: inout Outbox)

    /// The loop is about to end; what is sent now still leaves.
    mutating func stopping(now: MonotonicTime, into outbox: inout Outbox)
}

extension DatagramHandler {
    public mutating func ranLate(by gap: Duration, now: MonotonicTime, into outbox: inout Outbox) {}
    public mutating func caughtUp(now: MonotonicTime, into outbox: inout Outbox) {}
    public mutating func refused(
        by destination: Endpoint, error: Int32, listener: UInt16, now: MonotonicTime, into outbox: inout Outbox
    ) {}
    public mutating func receive(
        _ bytes: UnsafeRawBufferPointer, onSocket id: UInt32, now: MonotonicTime, into outbox: inout Outbox
    ) {}
    public mutating func socketFailed(_ id: UInt32, error: Int32, now: MonotonicTime, into outbox: inout Outbox) {}
    public mutating func stopping(now: MonotonicTime, into outbox: inout Outbox) {}
}
