import Primitives
import Routing
import SIP

/// What becomes of centers, and of the requests that wait for them.
extension AccessCore {
    /// The masters hear of a center at most this often.
    private static let reportInterval: Duration = .milliseconds(500)

    // MARK: Tables

    mutating func adopt(_ table: RouteTable) {
        let before = chooser.table?.storeID
        guard case .adopted(let fallen) = chooser.adopt(table, now: now) else { return }
        // Epochs of another store begin anew.
        if table.storeID != before { leader = LeaderEpoch() }
        ways.removeAll(keepingCapacity: true)
        noteFenced(table)
        actions.append(.adopted(table))
        for center in fallen { fell(center) }
    }

    // MARK: Silence

    mutating func nextSilence() -> SilenceQueue.Entry? {
        silences.first { entry in
            guard let place = forwards.place(entry.forward), entry.branch < forwards[place].branches.count else {
                return false
            }
            return forwards[place].branches[entry.branch].isSilent && forwards[place].branches[entry.branch].isOpen
        }
    }

    /// A center brought no response in its time: the next one is tried.
    mutating func stayedSilent(_ entry: SilenceQueue.Entry) {
        guard let place = forwards.place(entry.forward), entry.branch < forwards[place].branches.count else { return }
        let branch = forwards[place].branches[entry.branch]
        if graceUntil > branch.beganAt + settings.firstResponse, graceUntil > now {
            // It may have answered while this node stood still.
            var later = entry
            later.deadline = graceUntil
            return silences.append(later)
        }
        var isSuspected = false
        if let center = branch.center {
            isSuspected = chooser.noteUnanswered(center, now: now)
            complain(of: center, .unanswered)
            sayWhetherAlive(center)
        }
        drive(entry.forward, .fired(.firstResponse(entry.branch)))
        if isSuspected, let center = branch.center { fell(center) }
    }

    // MARK: Refusals

    /// ICMP, or a connection that could not be made.
    mutating func becameUnreachable(_ flow: Flow) {
        guard flow.transport == .udp, let center = chooser.center(at: flow.remote) else {
            return transactions.transportFailed(to: flow, now: now, into: &outputs)
        }
        complain(of: center, .refused)
        _ = chooser.noteRefused(center, now: now)
        if chooser.isSuspected(center) {
            fell(center)
        } else {
            transactions.transportFailed(to: flow, now: now, into: &outputs)
        }
    }

    /// Every request that waits for this center is tried elsewhere at once, 100 or 180 notwithstanding (TAKEOVER.md,
    /// Signalling).
    private mutating func fell(_ center: CenterIndex) {
        for handle in forwards.openHandles {
            guard let count = forwards.place(handle).map({ forwards[$0].branches.count }) else { continue }
            for index in 0..<count {
                // Each failure may close the request, or give it a further branch.
                guard let place = forwards.place(handle), forwards[place].branches[index].center == center,
                    forwards[place].branches[index].isOpen
                else { continue }
                forwards[place].branches[index].isOpen = false
                drive(handle, .targetDied(index))
            }
        }
    }

    private mutating func complain(of center: CenterIndex, _ complaint: Complaint) {
        guard let name = chooser.entry(center)?.name else { return }
        if let next = nextReport[name], next > now { return }
        // Names come from tables only; those of the past are few.
        if nextReport.count > 4 * RouteTable.centerLimit { nextReport.removeAll() }
        nextReport[name] = now + Self.reportInterval
        actions.append(.report(center: name, complaint))
    }

    // MARK: Late answers

    /// A center that was given up answered after all: its call is acknowledged and ended in the caller's name
    /// (TAKEOVER.md, Signalling). A repetition only gets the ACK again. So does the answer to a re-INVITE: its call
    /// lives, and the caller hears by another branch what became of the change.
    mutating func endLateCall(_ answer: Message, of id: ClientTransactionID, _ flow: Flow) {
        if ForwardHandle.isInDialog(context: id.context) {
            guard let ack = proxy.acknowledgement(ofLateAnswer: answer, transport: flow.transport) else {
                return counters.count(.stray)
            }
            return send(ack, flow)
        }
        guard let release = proxy.release(lateAnswer: answer, transport: flow.transport) else {
            return counters.count(.stray)
        }
        send(release.acknowledgement, flow)
        guard released[id, default: []].insert(answer.to.tag ?? "").inserted else { return }
        counters.lateAnswers += 1
        _ = transactions.request(
            release.bye, method: .bye, branch: release.byeBranch, to: flow,
            context: ForwardHandle.none.context(branch: 0), now: now, into: &outputs)
    }
}
