import Primitives
import SIP

/// Requests of ours that went by TCP because they are too long for a datagram, until they are answered.
struct LongRequests: Sendable {
    /// RFC 3261 §18.1.1: "if a request is … larger than 1300 bytes and the path MTU is unknown, the request MUST be sent
    /// using an RFC 2914 congestion controlled transport protocol, such as TCP".
    static let datagramLimit = 1_300
    /// At once; more go by UDP.
    static let limit = 4_096
    /// A neighbour that refused TCP is asked by UDP for so long, without another try.
    static let refusalMemory = Duration.seconds(60)
    static let refusalLimit = 256

    struct Entry: Sendable {
        /// As for a datagram, to be sent so after all.
        var bytes: [UInt8]
        var branch: String
        var method: Method
        var way: Flow
    }

    private var entries: [ClientTransactionID: Entry] = [:]
    private var refusals: [Endpoint: MonotonicTime] = [:]

    /// Whether one more may be tried by TCP to there.
    func admits(_ destination: Endpoint, now: MonotonicTime) -> Bool {
        entries.count < Self.limit && refusals[destination].map { now - $0 >= Self.refusalMemory } ?? true
    }

    mutating func insert(_ entry: Entry, as id: ClientTransactionID) { entries[id] = entry }

    @discardableResult
    mutating func remove(_ id: ClientTransactionID) -> Entry? { entries.removeValue(forKey: id) }

    mutating func refused(by destination: Endpoint, now: MonotonicTime) {
        if refusals.count >= Self.refusalLimit {
            refusals = refusals.filter { now - $0.value < Self.refusalMemory }
            if refusals.count >= Self.refusalLimit { refusals = [:] }
        }
        refusals[destination] = now
    }
}
