import Primitives

/// All transactions of one node or one of its loops: it matches messages to them (RFC 3261 §17.1.3, §17.2.3), absorbs
/// and makes repetitions, acknowledges refusals, and hands everything else to its user by `TransactionOutput`.
///
/// It has no clock and no socket: give it `now` with each call, perform its outputs in order, and call `fire(now:)`
/// when `nextDeadline()` has come.
///
/// A finished transaction lingers up to 64 × T1 (RFC 6026) and costs about 400 bytes meanwhile. Of messages it keeps
/// only a final response, or an ACK, that it may have to repeat.
public struct TransactionLayer: Sendable {
    public let timers: TransactionTimers
    var servers: TransactionTable<ServerRecord>
    var clients: TransactionTable<ClientRecord>
    var clock = TransactionClock()
    /// Head of the list of clients without a final response.
    var firstPending = UInt32.max
    let seed: UInt64

    /// - Parameters:
    ///   - serverLimit: transactions of requests received, lingering ones included. At 2,000 calls a second about
    ///     130,000 linger in a proxy. Beyond it requests come as `.refused`.
    ///   - clientLimit: the same for requests sent; beyond it `request` returns nil.
    public init(
        timers: TransactionTimers = .standard, random: SeededRandom, serverLimit: Int = 1 << 18,
        clientLimit: Int = 1 << 18
    ) {
        var random = random
        self.timers = timers
        servers = TransactionTable(limit: serverLimit)
        clients = TransactionTable(limit: clientLimit)
        seed = random.next()
    }

    public var serverCount: Int { servers.count }
    public var clientCount: Int { clients.count }

    /// When `fire(now:)` has work next; nil when no timer is set.
    public mutating func nextDeadline() -> MonotonicTime? { nextTimer()?.deadline }

    /// When its owner has to wake up for `fire(now:)`: at the next deadline, or up to a tenth of a second later where
    /// timers of five seconds and more can be worked off together.
    public mutating func nextWakeUp() -> MonotonicTime? { clock.wakeUp { Self.counts($0, servers, clients) } }

    /// Takes a message that came in by `flow`.
    public mutating func receive(
        _ message: consuming Message, on flow: Flow, now: MonotonicTime, into outputs: inout [TransactionOutput]
    ) {
        if message.isRequest {
            receiveRequest(message, flow, now, &outputs)
        } else {
            receiveResponse(message, flow, now, &outputs)
        }
    }

    /// Does what is due at `now`.
    public mutating func fire(now: MonotonicTime, into outputs: inout [TransactionOutput]) {
        while let entry = nextTimer(), entry.deadline <= now {
            let slot = entry.slot
            switch entry.timer {
            case .inviteServer(let timer):
                spend(entry.ticket, ofServer: slot)
                fire(timer, inviteServer: slot, now, &outputs)
            case .nonInviteServer(let timer):
                spend(entry.ticket, ofServer: slot)
                fire(timer, nonInviteServer: slot, now, &outputs)
            case .inviteClient(let timer):
                spend(entry.ticket, ofClient: slot)
                fire(timer, inviteClient: slot, now, &outputs)
            case .nonInviteClient(let timer):
                spend(entry.ticket, ofClient: slot)
                fire(timer, nonInviteClient: slot, now, &outputs)
            }
        }
    }

    private mutating func nextTimer() -> TransactionClock.Entry? {
        clock.first { Self.counts($0, servers, clients) }
    }

    /// A timer counts while its transaction still has its ticket.
    @inline(__always)
    private static func counts(
        _ entry: TransactionClock.Entry, _ servers: borrowing TransactionTable<ServerRecord>,
        _ clients: borrowing TransactionTable<ClientRecord>
    ) -> Bool {
        switch entry.timer {
        case .inviteServer, .nonInviteServer:
            servers[entry.slot].repetition == entry.ticket || servers[entry.slot].deadline == entry.ticket
        case .inviteClient, .nonInviteClient:
            clients[entry.slot].repetition == entry.ticket || clients[entry.slot].deadline == entry.ticket
        }
    }

    private mutating func spend(_ ticket: TransactionClock.Ticket, ofServer slot: UInt32) {
        if servers[slot].repetition == ticket { servers[slot].repetition = 0 } else { servers[slot].deadline = 0 }
    }

    private mutating func spend(_ ticket: TransactionClock.Ticket, ofClient slot: UInt32) {
        if clients[slot].repetition == ticket { clients[slot].repetition = 0 } else { clients[slot].deadline = 0 }
    }
}

/// What is left for the caller after a machine's actions were performed: the message is delivered before the end.
struct TransactionOutcome {
    var delivers = false
    var ends = false
}
