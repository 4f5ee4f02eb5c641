import Primitives
import Session

/// Who leads, as one master knows it: asks the store for the lease again and again, and counts how long its own lasts.
///
/// A lease counts from the moment it was asked for, not from the answer, so it ends here before it ends in the store.
/// A leader that hears nothing from the store keeps publishing routes under its last epoch (a newer leader has a higher
/// one, and routing never waits for the store) but fences nobody.
public struct LeaderLease: Sendable {
    public struct Timings: Hashable, Sendable {
        /// How long a lease lasts without renewal.
        public var length: Duration = .seconds(1)
        /// Between two askings.
        public var renewal: Duration = .milliseconds(250)

        public init() {}
        public init(length: Duration, renewal: Duration) {
            self.length = length
            self.renewal = renewal
        }
    }

    public enum Standing: Equatable, Sendable {
        /// Another one leads, or nobody is known to.
        case standby(leader: NodeIdentity?)
        /// This master leads.
        case leading(epoch: UInt64)
        /// It led until the store fell silent; nobody is known to lead instead.
        case cutOff(epoch: UInt64)

        /// Under which epoch tables may be published.
        public var publishingEpoch: UInt64? {
            switch self {
            case .standby: nil
            case .leading(let epoch), .cutOff(let epoch): epoch
            }
        }

        /// Under which epoch the store may be written.
        public var writingEpoch: UInt64? { if case .leading(let epoch) = self { epoch } else { nil } }
    }

    /// What the store said.
    public enum Reply: Equatable, Sendable {
        /// `remaining`: how long it lasts yet in the store, if nobody renews it.
        case held(by: NodeIdentity, epoch: UInt64, remaining: Duration? = nil)
        /// The store cannot be used, or this incarnation is fenced there.
        case refused(reason: String)
    }

    public enum Action: Equatable, Sendable {
        /// Ask the store for the lease; the reply is told with the same number.
        case ask(number: UInt64)
        case changed(Standing)
    }

    /// A lease that ends is asked for this much later, so that the store's clock agrees.
    static let afterItsEnd: Duration = .milliseconds(5)

    public let identity: NodeIdentity
    public let timings: Timings
    public private(set) var standing = Standing.standby(leader: nil)
    private let began: MonotonicTime
    private var number: UInt64 = 0
    private var askedAt: MonotonicTime?
    private var nextAsk: MonotonicTime
    private var heldUntil: MonotonicTime?

    public init(identity: NodeIdentity, timings: Timings = Timings(), now: MonotonicTime) {
        self.identity = identity
        self.timings = timings
        began = now
        nextAsk = now
    }

    public var nextDeadline: MonotonicTime { min(nextAsk, heldUntil ?? .distantFuture) }

    /// Leads no more once the lease is over.
    public mutating func expire(now: MonotonicTime, into actions: inout [Action]) {
        guard let heldUntil, heldUntil <= now else { return }
        self.heldUntil = nil
        if case .leading(let epoch) = standing { change(.cutOff(epoch: epoch), into: &actions) }
    }

    public mutating func fire(now: MonotonicTime, into actions: inout [Action]) {
        expire(now: now, into: &actions)
        guard nextAsk <= now else { return }
        nextAsk = now + timings.renewal
        // One asking at a time: a slow store is not flooded. One without an answer for a lease's length is given up.
        if let askedAt, now - askedAt < timings.length { return }
        number += 1
        askedAt = now
        actions.append(.ask(number: number))
    }

    public mutating func answered(
        _ reply: Reply, number: UInt64, now: MonotonicTime, into actions: inout [Action]
    ) {
        guard number == self.number, let asked = askedAt else { return }
        askedAt = nil
        switch reply {
        case .refused: return
        case .held(let holder, let epoch, let remaining):
            guard holder == identity else {
                heldUntil = nil
                if let remaining { follow(after: now + max(.zero, remaining), now: now) }
                return change(.standby(leader: holder), into: &actions)
            }
            let until = asked + timings.length
            // An answer that took longer than the lease lasts is no lease.
            guard now < until else { return }
            heldUntil = until
            change(.leading(epoch: epoch), into: &actions)
        }
    }

    /// A leader that died is followed the moment its lease is over; by one who watched, if there is one. Who has just
    /// begun, as the dead leader does that is started again, knows nobody who died with it, and goes second.
    private mutating func follow(after end: MonotonicTime, now: MonotonicTime) {
        if now - began >= timings.length * 2 {
            nextAsk = min(nextAsk, end + Self.afterItsEnd)
        } else if nextAsk >= end {
            nextAsk = max(nextAsk, end + timings.renewal)
        }
    }

    /// The store can be used again: the lease is asked for now.
    mutating func hurry(now: MonotonicTime) {
        askedAt = nil
        nextAsk = now
    }

    private mutating func change(_ new: Standing, into actions: inout [Action]) {
        guard new != standing else { return }
        standing = new
        actions.append(.changed(new))
    }
}
