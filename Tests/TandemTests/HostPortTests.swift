import Primitives
import Testing

@testable import tandem

@Suite struct HostPortTests {
    @Test(arguments: [
        ("127.0.0.1:5060", "127.0.0.1"), ("[2001:db8::7]:5060", "2001:db8::7"),
        ("sip.bank.example:5060", "sip.bank.example"),
        ("access-1:5060", "access-1"), ("sip.bank.example.:5060", "sip.bank.example."),
    ])
    func addressesAndNamesAreTaken(_ text: String, _ host: String) {
        #expect(HostPort(text)?.host == host)
        #expect(HostPort(text)?.port == 5060)
    }

    @Test(arguments: [
        "", "5060", "sip.bank.example", "sip.bank.example:", "sip.bank.example:0", "sip.bank.example:65536", ":5060",
        "2001:db8::7:5060", "a b:5060", "-a:5060", "a..b:5060", "127.0.0:5060", "sip:95533@a:5060",
    ])
    func anythingElseIsWrongUsage(_ text: String) { #expect(HostPort(text) == nil) }

    @Test func theFirstAddressOfANameIsTakenOrTheFirstOfAFamily() throws {
        let name = try #require(HostPort("sip.bank.example:5062"))
        let six = IPAddress.v6(0x2001_0DB8_0000_0000, 7)
        let four = IPAddress.v4(0xC000_0207)
        func endpoint(isV6: Bool? = nil) throws -> Endpoint {
            try name.endpoint(isV6: isV6) { host throws(HostPort.Unresolved) in
                #expect(host == "sip.bank.example")
                return [six, four]
            }
        }
        #expect(try endpoint() == Endpoint(six, port: 5062))
        #expect(try endpoint(isV6: true) == Endpoint(six, port: 5062))
        #expect(try endpoint(isV6: false) == Endpoint(four, port: 5062))
    }

    @Test func whatHasNoAddressIsSaidInOneLine() throws {
        let name = try #require(HostPort("sip.bank.example:5062"))
        let none = #expect(throws: HostPort.Unresolved.self) {
            _ = try name.endpoint(isV6: true) { _ throws(HostPort.Unresolved) in [.v4(1)] }
        }
        #expect(none?.description == "sip.bank.example has no address: none of IPv6")
        let unknown = #expect(throws: HostPort.Unresolved.self) {
            _ = try name.endpoint { host throws(HostPort.Unresolved) in
                throw HostPort.Unresolved(host: host, reason: "name or service not known")
            }
        }
        #expect(unknown?.description == "sip.bank.example has no address: name or service not known")
    }

    /// The one name that every machine knows without asking anybody.
    @Test func theSystemIsAsked() throws {
        let found = try HostPort.addresses(of: "localhost")
        #expect(found.contains(.v4(0x7F00_0001)) || found.contains(.v6(0, 1)))
        let local = try #require(HostPort("localhost:5060"))
        #expect(try local.endpoint() == Endpoint(.v4(0x7F00_0001), port: 5060))
        // Numbers are read by the same system call as names.
        #expect(try HostPort.addresses(of: "2001:db8::7") == [.v6(0x2001_0DB8_0000_0000, 7)])
    }
}
