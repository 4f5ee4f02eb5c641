import Primitives

struct ServerRecord: TransactionRecord {
    enum Machine: Sendable {
        case invite(InviteServerTransaction)
        case nonInvite(NonInviteServerTransaction)
    }

    var machine: Machine
    var responseFlow: Flow
    var identity: ServerIdentity
    /// The response to repeat; empty when there is none.
    var response: [UInt8] = []
    /// Timer G.
    var repetition: TransactionClock.Ticket = 0
    /// Timers H, I, J, L, of which one runs at a time.
    var deadline: TransactionClock.Ticket = 0

    static var vacant: ServerRecord {
        ServerRecord(
            machine: .nonInvite(NonInviteServerTransaction(isReliable: true)), responseFlow: .nowhere,
            identity: .vacant)
    }
}

struct ClientRecord: TransactionRecord {
    enum Machine: Sendable {
        case invite(InviteClientTransaction)
        case nonInvite(NonInviteClientTransaction)
    }

    enum Audience: UInt8, Sendable {
        case user
        /// The user went on elsewhere and hears only of a late 2xx.
        case abandoned
        /// A CANCEL that the layer itself sent: nobody listens.
        case nobody
    }

    var branch: String
    var method: Method
    var machine: Machine
    var flow: Flow
    /// The request to repeat, then the ACK to repeat; empty when there is none.
    var request: [UInt8]
    var context: UInt64
    var audience: Audience
    /// Timers A and E.
    var repetition: TransactionClock.Ticket = 0
    /// Timers B, C, D, F, K, M and that of a CANCEL, of which one runs at a time.
    var deadline: TransactionClock.Ticket = 0
    /// Neighbours in the list of clients without a final response.
    var previousPending: UInt32 = .max
    var nextPending: UInt32 = .max
    var isPending = false

    static var vacant: ClientRecord {
        ClientRecord(
            branch: "", method: .ack, machine: .nonInvite(NonInviteClientTransaction(isReliable: true)),
            flow: .nowhere, request: [], context: 0, audience: .nobody)
    }
}

extension Flow {
    fileprivate static let nowhere = Flow(transport: .udp, remote: Endpoint(.v4(0), port: 0))
}
