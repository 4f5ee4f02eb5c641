import Primitives
import Routing
import SIP

/// Centers that are dead to the others and do not know it, and centers that want to know whether they are: access tells
/// them what its table says (TAKEOVER.md, The old owner).
extension AccessCore {
    /// A center is told at most this often.
    private static let wordInterval: Duration = .seconds(1)

    /// What the table in use says of dead incarnations.
    mutating func noteFenced(_ table: RouteTable) {
        fencedCenters = table.centers.filter { $0.fenced != nil }
    }

    /// Whether a request comes from an incarnation that is dead for good. Its calls are other centers' now, who speak for
    /// themselves: it goes no further, and the center hears why.
    mutating func speaksForTheDead(_ request: borrowing Message, _ flow: Flow) -> Bool {
        guard !fencedCenters.isEmpty, request.method != .options, flow.transport == .udp,
            settings.trusts(flow.remote.address),
            let entry = fencedCenters.first(where: { $0.sip.contains(flow.remote) })
        else { return false }
        counters.count(.oldOwner)
        tell(entry)
        return true
    }

    /// A center brought no answer in time. It may have stood still and wait for somebody who says that it still counts;
    /// where no master says so, this node does.
    mutating func sayWhetherAlive(_ center: CenterIndex) {
        if let entry = chooser.entry(center) { tell(entry) }
    }

    private mutating func tell(_ entry: RouteEntry) {
        // What a profile says of centers was never seen by anybody.
        guard let table = chooser.table, table.storeID != RouteTable.profileStoreID else { return }
        let live = entry.state.lives ? entry.incarnation : nil
        guard live != nil || entry.fenced != nil, let center = chooser.center(at: entry.sip[0]),
            let flow = ways(of: center).udp
        else { return }
        if let next = nextWord[entry.name], next > now { return }
        if nextWord.count > 4 * RouteTable.centerLimit { nextWord.removeAll() }
        nextWord[entry.name] = now + Self.wordInterval
        let notice = NodeNotice(node: entry.name, incarnation: live, fenced: entry.fenced)
        let branch = Via.magicCookie + random.hex(20)
        let via = listeners.via(for: flow, branch: branch)
        let target = URI(host: flow.remote.address.description, port: flow.remote.port)
        let bytes = MessageWriter.request(
            method: .options, uri: target, via: via,
            from: NameAddress(
                uri: URI(user: settings.identity.name, host: via.host, port: via.port),
                parameters: [Parameter("tag", ownTag(random.hex(16)))]),
            to: NameAddress(uri: target), callID: "word-\(random.hex(24))@\(settings.identity)", cseq: 1,
            headers: [(.tandemNode, notice.headerValue)])
        _ = transactions.request(
            bytes, method: .options, branch: branch, to: flow, context: ForwardHandle.none.context(branch: 0), now: now,
            into: &outputs)
    }
}
