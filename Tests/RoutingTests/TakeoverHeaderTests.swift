import Primitives
import Routing
import Testing

/// What a leader's pings say of takeovers.
@Suite struct TakeoverHeaderTests {
    private let three = PeerList(
        ["center-a", "center-b", "center-c"].enumerated().map { index, name in
            PeerList.Peer(
                node: name, incarnation: "k\(index)", sip: Endpoint(.v4(0x7F00_0001), port: UInt16(5081 + index)))
        })

    @Test func peersReadWhatTheyWrite() {
        #expect(PeerList(headerValue: three.headerValue) == three)
        #expect(three.headerValue.hasPrefix("center-a.k0@127.0.0.1:5081;center-b.k1@"))
        let six = PeerList(headerValue: "b.m2@[::1]:5082")
        #expect(six?.peers.first?.sip == Endpoint(.v6(0, 1), port: 5082))
        #expect(PeerList(headerValue: "")?.peers.isEmpty == true)
    }

    @Test(arguments: [
        "center-a@127.0.0.1:5081", "center-a.k0@127.0.0.1", "center-a.k0@somewhere:5081", "Center.k0@127.0.0.1:5081",
        "a.k0@127.0.0.1:1;a.k1@127.0.0.1:2", "a.K0@127.0.0.1:1", "a.k0@127.0.0.1:1@x",
    ])
    func peersRefuseWhatIsNone(_ text: String) {
        #expect(PeerList(headerValue: text) == nil)
    }

    @Test func peersAreLimited() {
        let many = (0...PeerList.limit).map { "n\($0).k@127.0.0.1:5060" }
        #expect(PeerList(headerValue: many.dropLast().joined(separator: ";")) != nil)
        #expect(PeerList(headerValue: many.joined(separator: ";")) == nil)
    }

    @Test func deathMovesOnlyTheDeadNodesShare() {
        var shares: [String: Int] = [:]
        for number in 0..<3_000 {
            let session = "session-\(number)"
            let owner = three.owner(of: session)?.node ?? ""
            shares[owner, default: 0] += 1
            let survivor = three.owner(of: session, excluding: "center-a")?.node
            if owner != "center-a" { #expect(survivor == owner) } else { #expect(survivor != "center-a") }
        }
        #expect(shares.values.allSatisfy { (850...1_150).contains($0) }, "\(shares)")
        #expect(PeerList().owner(of: "x") == nil)
    }

    @Test func takeoverReadsWhatItWrites() {
        let notice = TakeoverNotice(node: "center-a", incarnation: "k3f9x2", leader: 7)
        #expect(notice.headerValue == "center-a;incarnation=k3f9x2;leader=7")
        #expect(TakeoverNotice(headerValue: notice.headerValue) == notice)
        #expect(TakeoverNotice(headerValue: "center-a;incarnation=k3f9x2") == nil)
        #expect(TakeoverNotice(headerValue: "center-a;leader=7") == nil)
        #expect(TakeoverNotice(headerValue: "center-a;incarnation=k3f9x2;leader=-7") == nil)
    }

    @Test func noticesCarryTheLeadersEpoch() {
        let notice = NodeNotice(node: "center-a", incarnation: "k1", leader: 12)
        #expect(notice.headerValue == "center-a;incarnation=k1;leader=12")
        #expect(NodeNotice(headerValue: notice.headerValue)?.leader == 12)
        #expect(NodeNotice(headerValue: "center-a;leader=x") == nil)
        #expect(NodeNotice(headerValue: "center-a;leader=1;leader=2") == nil)
    }
}
