/// The responses to one request that a proxy forwards to one target after another, or to several at once
/// (RFC 3261 §16.7), with fail-over while the caller still waits. It carries no message: "the response" is the one
/// whose event is being handled, "the kept one" is what its owner kept when told.
public struct ResponseContext: Equatable, Sendable {
    /// A branch's number: 0, 1, … in the order of `begin`.
    public typealias Branch = Int

    public enum Timer: Equatable, Sendable {
        /// No response at all came from a branch within the first-response time.
        case firstResponse(Branch)
    }

    public enum Event: Equatable, Sendable {
        case response(Branch, status: Int)
        /// No final response came in the transaction's own time (timers B and F, or after a CANCEL).
        case timedOut(Branch)
        case transportFailed(Branch)
        /// The target is known to be dead: counts as 408 at once, "100 or 180 notwithstanding".
        case targetDied(Branch)
        case fired(Timer)
        /// The caller sent a CANCEL.
        case cancelled
        /// `tryNext` found no further target.
        case exhausted
    }

    public enum Action: Equatable, Sendable {
        /// Send the response upstream.
        case forward(Branch)
        /// Keep the response in place of any kept before: the best so far.
        case keep(Branch)
        /// Send the kept response upstream: the final one.
        case forwardKept
        /// Make a final response of this status and send it upstream.
        case answer(status: Int)
        /// Cancel the branch's INVITE by `TransactionLayer.cancel`.
        case cancelBranch(Branch)
        /// Give the branch up by `TransactionLayer.abandon`, which sees to what still comes of it.
        case abandon(Branch)
        /// Choose another target and call `begin`, or handle `exhausted`.
        case tryNext
        case schedule(Timer, Duration)
        case cancel(Timer)
    }

    private enum BranchState: Equatable, Sendable {
        case waiting
        case provisional
        /// A final response, or 408 and 503 in place of one.
        case ended(Int)

        var isOpen: Bool { if case .ended = self { false } else { true } }
    }

    private let isInvite: Bool
    private let firstResponseTime: Duration?
    private let failoverStatuses: [Int]
    private let passes503: Bool
    private var branches: [BranchState] = []
    private var best: Int?
    private var bestIsKept = false
    private var isCancelled = false
    private var isExhausted = false
    public private(set) var isAnswered = false

    /// - Parameters:
    ///   - firstResponseTime: how long a target may stay silent before the next one is tried; nil waits for timer B or F.
    ///   - failoverStatuses: final statuses after which the next target is tried. A decline never should be among them
    ///     (4xx but 408, 6xx).
    ///   - passes503: a target's own 503 is forwarded as it is: the request is for that target alone, and what that one
    ///     says holds for it alone.
    public init(
        isInvite: Bool, firstResponseTime: Duration?, failoverStatuses: [Int] = [408, 503], passes503: Bool = false
    ) {
        self.isInvite = isInvite
        self.firstResponseTime = firstResponseTime
        self.failoverStatuses = failoverStatuses
        self.passes503 = passes503
    }

    public var branchCount: Int { branches.count }
    public var openBranches: [Branch] { branches.indices.filter { branches[$0].isOpen } }

    /// The request leaves for a further target.
    public mutating func begin(into actions: inout [Action]) -> Branch {
        branches.append(.waiting)
        let branch = branches.count - 1
        if let firstResponseTime { actions.append(.schedule(.firstResponse(branch), firstResponseTime)) }
        return branch
    }

    public mutating func handle(_ event: Event, into actions: inout [Action]) {
        switch event {
        case .response(let branch, let status): receive(status, from: branch, &actions)
        case .timedOut(let branch): fail(branch, as: 408, &actions)
        case .transportFailed(let branch): fail(branch, as: 503, &actions)
        case .targetDied(let branch):
            guard isOpen(branch) else { return }
            actions.append(.abandon(branch))
            fail(branch, as: 408, &actions)
        case .fired(.firstResponse(let branch)):
            guard branches.indices.contains(branch), branches[branch] == .waiting else { return }
            actions.append(.abandon(branch))
            close(branch, &actions, isTimerSpent: true)
            conclude(branch, status: 408, isReal: false, &actions)
        case .cancelled: cancel(&actions)
        case .exhausted:
            isExhausted = true
            finish(&actions)
        }
    }

    private func isOpen(_ branch: Branch) -> Bool { branches.indices.contains(branch) && branches[branch].isOpen }

    private mutating func receive(_ status: Int, from branch: Branch, _ actions: inout [Action]) {
        guard branches.indices.contains(branch) else { return }
        if (200...299).contains(status) {
            // §16.7 step 5: "Any 2xx response to an INVITE request" is forwarded at once, also after another final
            // response, and "After forwarding … the proxy MUST generate a CANCEL request for all pending client
            // transactions" (step 10).
            if !isInvite, isAnswered { return }
            close(branch, &actions)
            branches[branch] = .ended(status)
            actions.append(.forward(branch))
            guard !isAnswered else { return }
            isAnswered = true
            cancelOpenBranches(&actions)
            return
        }
        guard branches[branch].isOpen else { return }
        if status < 200 {
            if branches[branch] == .waiting, firstResponseTime != nil {
                actions.append(.cancel(.firstResponse(branch)))
            }
            branches[branch] = .provisional
            // Step 5: "Any provisional response other than 100 (Trying)", while no final one was sent.
            if status > 100, !isAnswered { actions.append(.forward(branch)) }
            return
        }
        close(branch, &actions)
        conclude(branch, status: status, isReal: true, &actions)
    }

    private mutating func fail(_ branch: Branch, as status: Int, _ actions: inout [Action]) {
        guard isOpen(branch) else { return }
        close(branch, &actions)
        conclude(branch, status: status, isReal: false, &actions)
    }

    private mutating func close(_ branch: Branch, _ actions: inout [Action], isTimerSpent: Bool = false) {
        if branches[branch] == .waiting, firstResponseTime != nil, !isTimerSpent {
            actions.append(.cancel(.firstResponse(branch)))
        }
    }

    /// A branch ended without a 2xx.
    private mutating func conclude(_ branch: Branch, status: Int, isReal: Bool, _ actions: inout [Action]) {
        branches[branch] = .ended(status)
        guard !isAnswered else { return }
        if isBetter(status, isReal) {
            best = status
            bestIsKept = isReal
            if isReal { actions.append(.keep(branch)) }
        }
        if status >= 600 {
            // Step 5: "If a 6xx response is received, it is not immediately forwarded, but the stateful proxy SHOULD
            // cancel all client pending transactions … and it MUST NOT create any new branches in this context."
            isExhausted = true
            cancelOpenBranches(&actions)
        } else if !failoverStatuses.contains(status) {
            isExhausted = true
        }
        finish(&actions)
    }

    /// Step 6: with no branch open, another target is tried or the best response goes upstream.
    private mutating func finish(_ actions: inout [Action]) {
        guard !isAnswered, !branches.contains(where: \.isOpen) else { return }
        if !isExhausted, !isCancelled {
            actions.append(.tryNext)
            return
        }
        isAnswered = true
        if isCancelled, best.map(failoverStatuses.contains) ?? true {
            // §15.1.2 and §9.2 let the caller expect 487; a target's silence is not the reason that its call ended.
            actions.append(.answer(status: 487))
        } else if let best, bestIsKept, best != 503 || passes503 {
            actions.append(.forwardKept)
        } else if let best {
            // Step 6: a 503 is not passed on as it came: whether all further requests meet it too is for this proxy
            // to say, and it says so with its own Retry-After. RFC 4320 §4.1: no 408 for a non-INVITE.
            actions.append(.answer(status: best == 408 && !isInvite ? 503 : best))
        } else {
            actions.append(.answer(status: 503))
        }
    }

    private mutating func cancel(_ actions: inout [Action]) {
        // §16.10: the CANCEL of a request that was forwarded is sent on to all pending branches.
        guard isInvite, !isAnswered, !isCancelled else { return }
        isCancelled = true
        isExhausted = true
        cancelOpenBranches(&actions)
        finish(&actions)
    }

    private mutating func cancelOpenBranches(_ actions: inout [Action]) {
        guard isInvite else { return }
        for branch in openBranches { actions.append(.cancelBranch(branch)) }
    }

    /// Step 6: "It MUST choose from the 6xx class responses if any exist … otherwise from the lowest class"; within 4xx
    /// "preference to responses that provide information affecting resubmission … such as 401, 407, 415, 420, and 484".
    /// What a target said counts more than the status that stands for its silence.
    private func isBetter(_ status: Int, _ isReal: Bool) -> Bool {
        guard let best else { return true }
        if isReal != bestIsKept { return isReal }
        return ResponseContext.rank(status) < ResponseContext.rank(best)
    }

    private static func rank(_ status: Int) -> Int {
        if status >= 600 { return 0 }
        return status / 100 * 2 + ([401, 407, 415, 420, 484].contains(status) ? 0 : 1)
    }
}
