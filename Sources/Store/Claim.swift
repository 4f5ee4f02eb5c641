import Primitives
import Session

/// A claim of a session and what decides it: one rule, for engines that run claims one by one and for those that run
/// many at once.
package struct Claim: Sendable, Hashable {
    package var session: SessionID
    /// Whose the session is to be taken from.
    package var from: Ownership
    package var claimer: NodeIdentity
    package var ground: ClaimGround

    package init(_ session: SessionID, from: Ownership, by claimer: NodeIdentity, ground: ClaimGround) {
        self.session = session
        self.from = from
        self.claimer = claimer
        self.ground = ground
    }

    /// What it gives. An epoch beyond the last is nobody's.
    package var right: Ownership { Ownership(node: claimer, epoch: from.epoch &+ 1) }

    package enum Verdict: Sendable, Equatable {
        case refused(StoreReply)
        /// Asked again after an answer that was lost on the way: it is the claimer's already.
        case held
        case granted
    }

    /// - Parameters:
    ///   - owner: whose the session is now; nil where there is none.
    ///   - isEnded: whether it has its record.
    ///   - ownerIsFenced: whether the incarnation in `from` is dead.
    package func judged(
        claimerIsFenced: Bool, owner: Ownership?, isEnded: @autoclosure () throws -> Bool,
        ownerIsFenced: @autoclosure () throws -> Bool
    ) rethrows -> Verdict {
        if claimerIsFenced { return .refused(.fenced) }
        guard let owner else { return .refused(try isEnded() ? .alreadyEnded : .notFound) }
        if owner == right { return .held }
        guard owner == from else { return .refused(.notOwner) }
        if ground == .fenced, try !ownerIsFenced() { return .refused(.notFenced) }
        return .granted
    }

    /// The answer to the winner, from the row as it was before.
    package func reply(_ session: StoredSession) -> StoreReply {
        var session = session
        session.ownership = right
        session.ownerFenced = false
        return .claimed(session)
    }
}
