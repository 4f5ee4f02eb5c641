import Primitives

/// What makes a request the same request for the server side (RFC 3261 §17.2.3).
struct ServerIdentity: Equatable, Sendable {
    /// The branch, or for a client without the magic cookie everything that §17.2.3 compares instead.
    var branch: String
    var host: String
    /// 0 when sent-by has none.
    var port: UInt16
    /// INVITE for an ACK or CANCEL that looks for its INVITE.
    var method: Method
}

struct ServerRecord: TransactionRecord {
    enum Machine: Sendable {
        case invite(InviteServerTransaction)
        case nonInvite(NonInviteServerTransaction)
    }

    var identity: ServerIdentity
    var machine: Machine
    var responseFlow: Flow
    /// The response to repeat; empty when there is none.
    var response: [UInt8] = []
    var repetition: TimerToken?
    var deadline: TimerToken?

    static var vacant: ServerRecord {
        ServerRecord(
            identity: ServerIdentity(branch: "", host: "", port: 0, method: .ack),
            machine: .nonInvite(NonInviteServerTransaction(isReliable: true)), responseFlow: .nowhere)
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
    var repetition: TimerToken?
    var deadline: TimerToken?
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

/// Which timer of which transaction.
enum TransactionTimerKey: Sendable {
    case inviteServer(UInt32, InviteServerTransaction.Timer)
    case nonInviteServer(UInt32, NonInviteServerTransaction.Timer)
    case inviteClient(UInt32, InviteClientTransaction.Timer)
    case nonInviteClient(UInt32, NonInviteClientTransaction.Timer)
}
