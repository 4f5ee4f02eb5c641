import Primitives
import Profiles
import Routing
import Testing

@Suite struct ProfileDecodingTests {
    @Test func aMinimalProfileTakesTheDefaults() throws {
        let profile = try center(Minimal.center)
        #expect(profile.common.sip.t1 == .milliseconds(500))
        #expect(profile.common.sip.trusted.contains { $0.contains(.v4(0x7F00_0001)) })
        #expect(profile.common.store == .sqlite(path: "tandem.sqlite"))
        #expect(profile.lines == ["9196": .echo])
        #expect(profile.media.address == .v4(0x7F00_0001))
        #expect(profile.media.advertise == profile.media.address)
        #expect(profile.media.ptime_ms == 20)
        #expect(profile.media.timeout == nil)
        #expect(profile.languages.map(\.code) == ["zh", "en"])
        #expect(profile.bank.singleLimit_minor == 5_000_000)
        #expect(profile.pinKeyPath == "secrets/pin-key")
    }

    @Test func aListenerWithoutTransportIsBoth() throws {
        let profile = try access(
            Minimal.access.replacing("[\"127.0.0.1:5060\"]", with: "[\"127.0.0.1:5060\", \"tcp:[::1]:5062\"]"))
        #expect(
            profile.common.sip.listeners.map(\.description)
                == ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "tcp:[::1]:5062"])
    }

    @Test func linesKeepTheirDigitsAsWritten() throws {
        let profile = try center(
            Minimal.center.replacing(
                "{\"9196\": {echo: true}}", with: "{0049: {music: true}, +4989: {menu: menus/a.yaml}}"))
        #expect(profile.lines == ["0049": .music, "+4989": .menu(path: "menus/a.yaml")])
    }

    @Test func policiesOfSingleLinesInheritTheHome() throws {
        let profile = try access(
            Minimal.access + """

                routing:
                  policy: hash
                  home: center-a
                  lines: {"95533": {policy: home-first}, "9196": {policy: home-first, home: center-a}}
                """)
        #expect(profile.routing.policy == .hash)
        #expect(profile.routing.lines == ["95533": .homeFirst("center-a"), "9196": .homeFirst("center-a")])
    }

    @Test func staticCentersMakeTheFirstTable() throws {
        let table = try access(Minimal.access).firstTable
        #expect(table.storeID == RouteTable.profileStoreID)
        #expect(table.centers.map(\.name) == ["center-a"])
        #expect(table.centers.first?.weight == 100)
        #expect(table.centers.first?.state == .up)
    }

    @Test func moneyIsReadInMinorUnits() throws {
        let yaml = Minimal.center + "\nbank: {single_limit: 0.5, daily_limit: 1000.05}"
        #expect(try center(yaml).bank.singleLimit_minor == 50)
        #expect(try center(yaml).bank.dailyLimit_minor == 100_005)
    }

    @Test func theAdvertisedHostStandsInForTheListener() throws {
        let profile = try access(
            Minimal.access.replacing(
                "{listen: [\"127.0.0.1:5060\"]}", with: "{listen: [\"[::]:5060\"], advertise: \"2001:db8::1\"}"))
        let listener = try #require(profile.common.sip.listeners.first)
        #expect(profile.common.sip.host(of: listener) == "[2001:db8::1]")
        #expect(try access(Minimal.access).common.sip.host(of: listener) == "[::]")
    }

    @Test func detectionNumbersReachTheMaster() throws {
        let profile = try master(Minimal.master + "\ndetection: {interval_ms: 100, misses: 5, ramp_up_s: 0}")
        #expect(profile.detection.interval == .milliseconds(100))
        #expect(profile.detection.missesForDown == 5)
        #expect(profile.detection.rampUp == .zero)
        #expect(profile.detection.timeout == DetectionTimings().timeout)
        #expect(profile.lease.length == .seconds(1))
    }

    @Test func pathsAreBesideTheProfileOrInTheState() {
        #expect(NodeProfile.path("menus/a.yaml", besideProfile: "sip-profiles/c.yaml") == "sip-profiles/menus/a.yaml")
        #expect(NodeProfile.path("a.yaml", besideProfile: "c.yaml") == "a.yaml")
        #expect(NodeProfile.path("/x/a.yaml", besideProfile: "p/c.yaml") == "/x/a.yaml")
        #expect(NodeProfile.path("secrets/k", inState: "./var") == "./var/secrets/k")
        #expect(NodeProfile.path("/k", inState: "./var") == "/k")
    }

    @Test(arguments: [
        ("10000-19999", 5_000), ("10001-10004", 1), ("1024-1025", 1), ("1025-1026", 0), ("1024-65534", 32_255),
    ])
    func pairsStartAtEvenPorts(range: String, pairs: Int) throws {
        let parts = range.split(separator: "-").compactMap { UInt16($0) }
        #expect(PortRange(first: parts[0], last: parts[1]).pairs == pairs)
    }

    @Test(arguments: [("50", 50), ("0.5", 10), ("12.3", 13), ("100000", 100_000)])
    func theBurstOfASourceIsOneSecondOfItsRateUnlessItIsSaid(rate: String, burst: Int) throws {
        func sources(_ more: String) throws -> AccessProfile.Sources {
            let yaml = Minimal.access + "\nsources: {per_second: \(rate)\(more)}"
            guard case .access(let profile) = try NodeProfile.decode(yaml: yaml, file: "p.yaml") else {
                throw WrongRole()
            }
            return profile.sources
        }
        #expect(try sources("").rate.burst == burst)
        #expect(try sources(", burst: 7").rate.burst == 7)
    }

    private struct WrongRole: Error {}
}
