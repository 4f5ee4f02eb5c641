import Primitives
import Routing
import SIP

/// What happens to an access core besides SIP messages and the passing of time.
public enum AccessEvent: Sendable {
    /// ICMP said that nobody listens there, or a connection could not be made.
    case unreachable(Flow)
    /// A connection ended.
    case closed(Flow)
    /// A master published this table.
    case table(RouteTable)
    /// The node's own loop stood still: centers are not blamed for answers that nobody could take.
    case starved
    /// SIGTERM: no new calls; `AccessCore.isIdle` tells when the process may end.
    case shutDown
}

/// What an access core wants done, in order.
public enum AccessAction: Sendable {
    case send([UInt8], Flow)
    /// The table is in use: keep it on disk.
    case adopted(RouteTable)
    /// Tell the masters, who will ping (a report never fences).
    case report(center: String, Complaint)
}

/// What access found wrong with a center.
public enum Complaint: String, Sendable, CaseIterable {
    /// No response to a request in time.
    case unanswered
    /// Its host says that nobody listens.
    case refused
}
