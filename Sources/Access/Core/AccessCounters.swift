import Primitives
import SIP

/// Why a message was not forwarded: labels of `tandem_sip_rejected_total`.
public enum RefusalReason: Int, Sendable, CaseIterable {
    case malformed, source, rate, relay, address, loop, hops, `extension`, method, dialog, flow, draining, capacity
    case noCenter
    /// A request of a center whose incarnation is dead for good.
    case oldOwner
    /// A response that belongs to nothing.
    case stray

    public var label: String {
        switch self {
        case .noCenter: "no-center"
        case .oldOwner: "old-owner"
        case .malformed, .source, .rate, .relay, .address, .loop, .hops, .extension, .method, .dialog, .flow,
            .draining, .capacity, .stray:
            "\(self)"
        }
    }
}

/// What an access node has done since it started. Plain numbers, because they are counted for every message.
public struct AccessCounters: Sendable {
    /// Labels of `tandem_sip_messages_total`, in the order of the counts. Responses count under the method they answer.
    public static let kinds = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK", "other"]
    public private(set) var received = [UInt64](repeating: 0, count: kinds.count)
    public private(set) var sent = [UInt64](repeating: 0, count: kinds.count)
    public private(set) var refused = [UInt64](repeating: 0, count: RefusalReason.allCases.count)
    /// Calls that were tried at a further center.
    public internal(set) var failovers: UInt64 = 0
    /// Answers of centers that were given up before; access ended those calls.
    public internal(set) var lateAnswers: UInt64 = 0

    public init() {}

    mutating func countReceived(_ message: borrowing Message) { received[Self.kind(of: message.method)] += 1 }

    /// From the bytes, so that repetitions, whose message nobody has any more, are counted like the rest.
    mutating func countSent(_ bytes: [UInt8]) { sent[SentMethod.of(bytes).map(Self.kind) ?? Self.other] += 1 }

    mutating func count(_ reason: RefusalReason) { refused[reason.rawValue] += 1 }

    private static let other = kinds.count - 1

    private static func kind(of method: Method) -> Int {
        switch method {
        case .invite: 0
        case .ack: 1
        case .bye: 2
        case .cancel: 3
        case .options: 4
        case .info: 5
        case .update: 6
        case .prack: 7
        case .register, .subscribe, .notify, .message, .refer, .publish, .other: other
        }
    }
}

/// What an access node tells of itself, for `/health` and metrics.
public struct AccessReport: Sendable {
    public var counters: AccessCounters
    /// Requests that wait for their final response.
    public var openRequests: Int
    /// Transactions, lingering ones included, and how many there may be.
    public var transactions: Int
    public var transactionLimit: Int
    /// Whether any center takes new calls.
    public var hasRoute: Bool
    public var isDraining: Bool
    /// Which table is in use: `STORE:EPOCH:GENERATION`; nil without any.
    public var table: String?
    /// Centers that this node by itself leaves out.
    public var suspected: [String]
    /// Centers that the table in use holds for dead, and that this node does not suspect besides.
    public var down: [String]
}
