import Primitives
import SIP
import Testing

@testable import Center

/// RFC 4961 with proxies between: audio may come from where the caller signals from, which is not where access is.
@Suite struct CallerAddressTests {
    /// An access node, which is one of the trusted.
    private static let access = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0007), port: 5060))
    private static let publicAddress = IPAddress("198.51.100.9")

    /// As it leaves access: a Via on top, and in the caller's where access had it from (RFC 3261 §18.2.1).
    private func throughAccess(_ text: String, _ addresses: [String] = ["10.0.0.7"], received: String?) -> String {
        let branch = text.split(separator: "branch=").last?.prefix { $0 != ";" } ?? "z9hG4bK"
        let added = addresses.enumerated().map { index, address in
            "Via: SIP/2.0/UDP \(address):5060;branch=\(branch)-access-\(index)\r\n"
        }
        return text.replacing("Via: ", with: added.joined() + "Via: ", maxReplacements: 1)
            .replacing(";rport\r\n", with: received.map { ";received=\($0);rport=40001\r\n" } ?? "\r\n")
    }

    private func sources(_ bench: CenterBench) -> [IPAddress] {
        bench.media.compactMap { if case .apply(_, let address, _) = $0.command { address } else { nil } }
    }

    @Test func addressBehindAccessIsTheCallers() throws {
        let bench = try CenterBench()
        let phone = Phone(bench, flow: Self.access)
        try phone.send(throughAccess(phone.text("INVITE", body: Phone.offer), received: "198.51.100.9"))
        #expect(sources(bench) == [Self.publicAddress])
        #expect(bench.opened.last?.checkpoint.dialogs[0].signalledFrom == "198.51.100.9")
    }

    @Test func withoutReceivedTheCallerIsWhereItSays() throws {
        let bench = try CenterBench()
        let phone = Phone(bench, flow: Self.access)
        try phone.send(throughAccess(phone.text("INVITE", body: Phone.offer), received: nil))
        #expect(sources(bench) == [Phone.flow.remote.address])
    }

    @Test func everyNodeOfThisSystemIsPassedOver() throws {
        let bench = try CenterBench()
        let phone = Phone(bench, flow: Phone.master)
        try phone.send(
            throughAccess(
                phone.text("INVITE", body: Phone.offer), ["10.0.0.9", "10.0.0.7"], received: "198.51.100.9"))
        #expect(sources(bench) == [Self.publicAddress])
    }

    /// What a stranger writes below its own Via says nothing.
    @Test func strangersNameNobodyElse() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        try phone.send(throughAccess(phone.text("INVITE", body: Phone.offer), ["192.0.2.5"], received: "198.51.100.9"))
        #expect(sources(bench) == [Phone.flow.remote.address])
        #expect(bench.opened.last?.checkpoint.dialogs[0].signalledFrom == nil)
        let second = try CenterBench()
        let other = Phone(second, flow: Self.access)
        try other.send(
            throughAccess(
                other.text("INVITE", body: Phone.offer), ["10.0.0.7", "203.0.113.4"], received: "198.51.100.9"))
        #expect(sources(second) == [try #require(IPAddress("203.0.113.4"))])
    }

    @Test func callerThatMovesIsFollowed() throws {
        let bench = try CenterBench()
        let phone = Phone(bench, flow: Self.access)
        try phone.send(throughAccess(phone.text("INVITE", body: Phone.offer), received: "198.51.100.9"))
        phone.toTag = bench.responses(200, to: .invite).last?.message.to.tag
        try phone.acknowledge()
        phone.cseq += 1
        try phone.send(
            throughAccess(phone.text("INVITE", body: Phone.sdp(version: 2)), received: "203.0.113.4"))
        #expect(sources(bench).last == IPAddress("203.0.113.4"))
    }

    /// The next owner has only the checkpoint: after the ACK no Via is in it.
    @Test func addressOutlivesItsCenter() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = Phone(try cluster["a"], flow: Self.access)
        try phone.send(throughAccess(phone.text("INVITE", body: Phone.offer), received: "198.51.100.9"))
        phone.toTag = try cluster["a"].responses(200, to: .invite).last?.message.to.tag
        try phone.acknowledge()
        try cluster["a"].press("2")
        try cluster.move(phone, from: "a", to: "b")
        #expect(sources(try cluster["b"]).last == Self.publicAddress)
    }
}
