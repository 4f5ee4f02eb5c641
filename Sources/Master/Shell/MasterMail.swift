import NetworkIO
import Primitives
import Routing
import Session
import Store

/// What other threads say to a master's loop.
enum MasterMail: Sendable {
    case event(MasterEvent)
    case stream(StreamEvent)
    /// An operator's order; answered when the store has it, or with why not.
    case order(Order)
    /// Answered on the loop's thread.
    case report(@Sendable (MasterReport) -> Void)
    /// Once a second: the civil time, and a look at what holds.
    case tick(WallTime)

    struct Order: Sendable {
        var node: String
        var state: AdministrativeState
        var by: String
        var answer: @Sendable (OrderOutcome) -> Void
    }
}

/// What a master knows now.
struct MasterReport: Sendable {
    var nodes: [NodeReport]
    var standing: LeaderLease.Standing
    /// What looks dead to this master, for another one that needs a second witness.
    var dead: [String] = []
}

enum OrderOutcome: Equatable, Sendable {
    /// In force, and kept in the store with its audit record.
    case recorded
    case refused(OrderRefusal)
    /// In force at this master, but not kept.
    case notKept(StoreTrouble)
    /// Another master leads since; it was not kept.
    case overtaken
}
