import Primitives

/// What a stream has to tell the call it belongs to.
public enum MediaEvent: Hashable, Sendable {
    /// A key went down, by telephone-event or tone.
    case digit(Digit)
    /// A playlist came to its end; its last packet has left.
    case finishedPlaying(PlaybackID)
    /// A digit ended a playlist that allows it; the digit itself follows.
    case stoppedByDigit(PlaybackID)
    /// Media come from there and go there now.
    case latched(Endpoint)
    /// Nothing was heard for `MediaStream.silence`, or the stream's time-out if that is longer, while the other side should
    /// send; told once until `heardAgain`.
    case fellSilent
    case heardAgain
    /// Nothing was heard for the stream's time-out; told once until something is heard again.
    case timedOut
}

/// What happened on a stream, for metrics and call records. All counts only grow.
public struct MediaCounters: Hashable, Sendable {
    public var packetsSent: UInt32 = 0
    /// Payload bytes, as sender reports count them.
    public var octetsSent: UInt32 = 0
    public var packetsReceived: UInt32 = 0
    public var octetsReceived: UInt32 = 0
    public var digits: UInt32 = 0
    /// No RTP, or an event too short.
    public var malformed: UInt32 = 0
    /// From an address that is not the caller's.
    public var foreignSource: UInt32 = 0
    /// From the caller's address, but of another stream, or our own come back.
    public var foreignStream: UInt32 = 0
    public var unknownPayload: UInt32 = 0
    /// Telephone-events that are no keys.
    public var eventsOutOfRange: UInt32 = 0
    public var eventsLate: UInt32 = 0
    public var reportsReceived: UInt32 = 0
    public var malformedReports: UInt32 = 0

    public init() {}
}
