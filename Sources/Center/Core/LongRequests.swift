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
        /// It has a provisional response: whoever gave it would take the same request for another one.
        var isHeard = false
    }

    /// An ACK that went by TCP, as for a datagram.
    struct Acknowledgement: Sendable {
        var bytes: [UInt8]
        var way: Flow
        var since: MonotonicTime
    }

    /// A connection that was not there by then will be heard of no more.
    static let ackMemory = Duration.seconds(5)
    static let ackLimit = 256

    private var acks: [Acknowledgement] = []
    private var entries: [ClientTransactionID: Entry] = [:]
    private var refusals: [Endpoint: MonotonicTime] = [:]

    /// Whether one more may be tried by TCP to there.
    func admits(_ destination: Endpoint, now: MonotonicTime) -> Bool {
        entries.count < Self.limit && refusals[destination].map { now - $0 >= Self.refusalMemory } ?? true
    }

    mutating func insert(_ entry: Entry, as id: ClientTransactionID) { entries[id] = entry }

    mutating func heard(_ id: ClientTransactionID) { entries[id]?.isHeard = true }

    @discardableResult
    mutating func remove(_ id: ClientTransactionID) -> Entry? { entries.removeValue(forKey: id) }

    mutating func keep(ack bytes: [UInt8], _ way: Flow, now: MonotonicTime) {
        acks.removeAll { now - $0.since >= Self.ackMemory }
        if acks.count >= Self.ackLimit { acks.removeFirst() }
        acks.append(Acknowledgement(bytes: bytes, way: way, since: now))
    }

    mutating func takeACKs(to destination: Endpoint, now: MonotonicTime) -> [Acknowledgement] {
        let lost = acks.filter { $0.way.remote == destination && now - $0.since < Self.ackMemory }
        acks.removeAll { $0.way.remote == destination }
        return lost
    }

    mutating func refused(by destination: Endpoint, now: MonotonicTime) {
        if refusals.count >= Self.refusalLimit {
            refusals = refusals.filter { now - $0.value < Self.refusalMemory }
            if refusals.count >= Self.refusalLimit { refusals = [:] }
        }
        refusals[destination] = now
    }
}
