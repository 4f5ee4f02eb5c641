import Primitives

/// How one call went.
public struct CallerRecord: Sendable {
    public enum Ending: Hashable, Sendable {
        /// We hung up at the end of the hold time.
        case held
        /// We hung up where the plan said so.
        case planned
        /// The other side hung up where the plan expected it.
        case expected
        /// The other side hung up after the end of the plan, and gave no reason: its menu was done.
        case menu
        /// The other side ended it before the end of the plan or gave a reason, or did not know the call any more.
        case dropped(String)
        /// Not answered.
        case failed(Failure)
        /// The user ended the run.
        case interrupted
    }

    public enum Failure: Hashable, Sendable {
        /// The final response, 300–699.
        case status(Int)
        /// No answer within the caller's patience, or none at all.
        case timeout
        /// ICMP, no connection, no address.
        case unreachable
        /// A 200 that makes no call: no Contact, no usable description.
        case badAnswer
        /// No port was free here.
        case noPort(String)
    }

    /// From 1.
    public let number: Int
    public let callID: String
    public let placedAt: MonotonicTime
    public internal(set) var answeredAt: MonotonicTime?
    public internal(set) var endedAt: MonotonicTime?
    /// Nil while the call goes on.
    public internal(set) var ending: Ending?
    /// Contacts of 3xx responses that were tried.
    public internal(set) var redirects = 0
    public internal(set) var reinvites = 0
    public internal(set) var updates = 0
    /// Offers by which the other side's audio came to live elsewhere: takeovers, as a caller sees them.
    public internal(set) var moves = 0
    /// Of a 503.
    public internal(set) var retryAfter: Int?
    public internal(set) var lacksTelephoneEvents = false
    /// Nil where the call was not answered.
    public internal(set) var reception: ReceptionMeter?
    /// Packets that came too fast for us: with any, gaps may be our own.
    public internal(set) var overrun = 0

    init(number: Int, callID: String, placedAt: MonotonicTime) {
        self.number = number
        self.callID = callID
        self.placedAt = placedAt
    }
}
