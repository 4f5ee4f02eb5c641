import Profiles
import Testing

@Suite struct ProfileProblemTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var yaml: String
        var lines: [String]
        var testDescription: String { lines.joined(separator: " ") }
        init(_ base: String, _ old: String, _ new: String, _ line: String) {
            yaml = base.replacing(old, with: new)
            lines = ["p.yaml: " + line]
        }
        init(_ base: String, adding: String, _ lines: String...) {
            yaml = base + "\n" + adding
            self.lines = lines.map { "p.yaml: " + $0 }
        }
    }

    @Test(arguments: [
        Case(
            Minimal.center, "10000-19999", "70000-80000",
            "media.ports: found \"70000-80000\", expected two ports in 1024...65534"),
        Case(
            Minimal.center, "10000-19999", "19999-10000",
            "media.ports: found \"19999-10000\", expected two ports in 1024...65534"),
        Case(
            Minimal.center, "role: center", "role: seats",
            "role: found \"seats\", expected one of access, center, master"),
        Case(Minimal.center, "role: center\n", "", "role: found nothing, expected one of access, center, master"),
        Case(
            Minimal.center, "name: center-a", "name: Center_A",
            "name: found \"Center_A\", expected a node name (1 to 63 of a-z, 0-9 and -)"),
        Case(
            Minimal.center, "http: 127.0.0.1:8081", "http: 8081",
            "http: found \"8081\", expected ADDRESS:PORT ([ADDRESS]:PORT for IPv6)"),
        Case(
            Minimal.center, "[\"127.0.0.1:5081\"]", "[\"udp:127.0.0.1\"]",
            "sip.listen[0]: found \"udp:127.0.0.1\", expected ADDRESS:PORT, udp:ADDRESS:PORT or tcp:ADDRESS:PORT"),
        Case(
            Minimal.center, "[\"127.0.0.1:5081\"]", "127.0.0.1:5081",
            "sip.listen: found \"127.0.0.1:5081\", expected a list of 1 to 16: "
                + "ADDRESS:PORT, udp:ADDRESS:PORT or tcp:ADDRESS:PORT"),
        Case(
            Minimal.center, "{echo: true}", "{echo: true, music: true}",
            "lines.9196: found 2 things that answer, expected exactly one of menu: FILE, echo: true, music: true"),
        Case(
            Minimal.center, "{echo: true}", "{}",
            "lines.9196: found nothing that answers, expected exactly one of menu: FILE, echo: true, music: true"),
        Case(Minimal.center, "{echo: true}", "{echo: yes}", "lines.9196.echo: found \"yes\", expected true or false"),
        Case(Minimal.center, "{echo: true}", "echo", "lines.9196: found \"echo\", expected a mapping, what answers it"),
        Case(
            Minimal.center, "\"9196\": {echo: true}", "\"9 196\": {echo: true}",
            "lines.9 196: found a key that is not allowed, "
                + "expected a line (1 to 32 of 0-9, a-z, A-Z, +, *, #, -, _ and .)"),
        Case(
            Minimal.center, "{\"9196\": {echo: true}}", "{9196: {echo: true}, \"9196\": {music: true}}",
            "lines.9196: found a key that stands twice, expected each key once"),
        Case(
            Minimal.access, adding: "routing: {lines: {95533: {policy: hash}, '95533': {policy: weighted}}}",
            "routing.lines.95533: found a key that stands twice, expected each key once"),
        Case(
            Minimal.center, adding: "languages: {english: {voice: say}}",
            "languages.english: found a key that is not allowed, expected a language code of two or three letters (zh, en)",
            "languages.english.voice: found no {output}, expected {output} where the WAV file's name goes"),
        Case(
            Minimal.center, adding: "sipp: {}",
            "sipp: found an unknown key, expected one of bank, drain, drain_s, http, languages, limits, lines, log_level, "
                + "media, name, pin_key, prompts, role, session_timer, sip, store"),
        Case(
            Minimal.center, "{ports:", "{prots: 1, ports:",
            "media.prots: found an unknown key, expected one of address, advertise, nat, ports, ptime_ms, timeout_s, tones"
        ),
        Case(
            Minimal.center, adding: "store: mysql://db/",
            "store: found \"mysql://db/\", expected sqlite:PATH or postgres://USER@HOST:PORT,HOST:PORT/DATABASE"),
        Case(
            Minimal.center, adding: "store: postgres://li:s3cret@db:70000/bank",
            "store: found \"postgres://li:...@db:70000/bank\", expected sqlite:PATH or "
                + "postgres://USER@HOST:PORT,HOST:PORT/DATABASE"),
        Case(
            Minimal.center, adding: "log_level: loud",
            "log_level: found \"loud\", expected one of trace, debug, info, notice, warning, error"),
        Case(
            Minimal.center, adding: "limits: {calls: 1e3}",
            "limits.calls: found \"1e3\", expected a whole number in 1...100000"),
        Case(
            Minimal.center, adding: "limits: {calls: 6000}",
            "media.ports: found room for 5000 calls, expected at least 12000 ports, two for each of limits.calls"),
        Case(
            Minimal.center, adding: "session_timer: {min_se_s: 600, expires_s: 300}",
            "session_timer.expires_s: found \"300\", expected at least min_se_s, 600"),
        Case(
            Minimal.center, adding: "bank: {single_limit: 100.00, daily_limit: 99.99}",
            "bank.daily_limit: found \"99.99\", expected at least single_limit, 100.00"),
        Case(
            Minimal.center, adding: "languages: {en: {voice: \"say {text}\"}}",
            "languages.en.voice: found no {output}, expected {output} where the WAV file's name goes"),
        Case(
            Minimal.center, "127.0.0.1:5081", "127.0.0.1:10002",
            "media.ports: found \"10000-19999\", expected ports without that of udp:127.0.0.1:10002 in sip.listen"),
        Case(
            Minimal.center, "{ports:", "{advertise: \"::1\", ports:",
            "media.advertise: found \"::1\", expected the family of media.address, 127.0.0.1"),
        Case(
            Minimal.access, "127.0.0.1:5060", "0.0.0.0:5060",
            "sip.advertise: found nothing, expected the host that others reach this node by, "
                + "because udp:0.0.0.0:5060 names no address"),
        Case(
            Minimal.access, "127.0.0.1:8060", "127.0.0.1:5060",
            "http: found \"127.0.0.1:5060\", expected another port than the TCP listener in sip.listen"),
        Case(
            Minimal.access, "127.0.0.1:5060\"]}", "127.0.0.1:5060\"], t1_ms: 1000, t2_ms: 600}",
            "sip.t2_ms: found \"600\", expected at least t1_ms, 1000"),
        Case(
            Minimal.access, "centers: [{name: center-a, sip: \"127.0.0.1:5081\"}]", "",
            "centers: found nothing, expected at least one center here, or one of the masters"),
        Case(
            Minimal.access, adding: "masters: [\"https://m:1/\"]",
            "masters[0]: found \"https://m:1/\", expected http://HOST:PORT"),
        Case(
            Minimal.access, adding: "routing: {policy: home-first}",
            "routing.home: found nothing, expected a center's name, because policy is home-first"),
        Case(
            Minimal.access, adding: "routing: {policy: home-first, home: center-x}",
            "routing.home: found \"center-x\", expected one of centers: center-a"),
        Case(
            Minimal.access, "5081\"}]", "5081\"}, {name: center-a, sip: \"127.0.0.1:5082\"}]",
            "centers[1].name: found \"center-a\" again, expected each center once"),
        Case(
            Minimal.access, adding: "sources: {allow: [10.0.0.0/33]}",
            "sources.allow[0]: found \"10.0.0.0/33\", expected an address block such as 10.0.0.0/8 or 2001:db8::/32"),
        Case(
            Minimal.master, "role: center", "role: centre",
            "nodes[0].role: found \"centre\", expected one of access, center, master"),
        Case(
            Minimal.master, "127.0.0.1:5081", "0.0.0.0:5081",
            "nodes[0].sip: found \"0.0.0.0:5081\", expected ADDRESS:PORT of the node ([ADDRESS]:PORT for IPv6)"),
        Case(
            Minimal.master, "role: center, ", "role: access, weight: 5, ",
            "nodes[0].weight: found a weight of role access, expected weights only for centers"),
        Case(
            Minimal.master, adding: "routing: {policy: home-first, home: access-1}",
            "routing.home: found \"access-1\", expected one of center-a"),
        Case(
            Minimal.master, adding: "lease: {length_ms: 500, renewal_ms: 250}",
            "lease.renewal_ms: found \"250\", expected at most a third of length_ms, 166"),
        Case(
            Minimal.master, adding: "detection: [1]",
            "detection: found a list, expected a mapping with keys of its own"),
    ])
    func saysWhereWhatAndWhatIsAllowed(wrong: Case) {
        #expect(problems(wrong.yaml) == wrong.lines)
    }

    @Test func aKeyThatStandsTwiceIsToldAtItsLine() {
        let yaml = Minimal.center.replacing(
            "lines: {\"9196\": {echo: true}}", with: "lines:\n  9196: {echo: true}\n  \"9196\": {music: true}")
        do {
            _ = try NodeProfile.decode(yaml: yaml, file: "p.yaml")
            Issue.record("taken")
        } catch {
            #expect(error.list.map(\.line) == [7])
            #expect(error.list.map(\.path) == ["lines.9196"])
        }
    }

    @Test func allProblemsAreReportedAtOnce() {
        let found = problems(
            """
            role: center
            name: A
            sip: {listen: [nowhere], t1: 5}
            media: {ports: 1-2}
            """)
        #expect(
            found.map { $0.split(separator: ":")[1].trimmingPrefix(" ") } == [
                "name", "sip.listen[0]", "sip.t1", "http", "lines", "media.ports",
            ])
    }

    @Test(arguments: [
        ("", "p.yaml: found an empty file, expected a profile"),
        ("- a", "p.yaml: found a list, expected a mapping with role, name, sip and http"),
        ("hello", "p.yaml: found \"hello\", expected a mapping with role, name, sip and http"),
        ("role: center\nrole: access", "p.yaml: line 1: found a key twice: role, expected valid YAML"),
    ])
    func whatIsNoProfileIsRefusedAsAWhole(yaml: String, line: String) {
        #expect(problems(yaml) == [line])
    }

    @Test func brokenYAMLIsRefusedWithItsLine() {
        let found = problems("role: center\nsip: {listen: [")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("p.yaml: line 3: found ") == true)
    }

    @Test func aMissingFileIsOneClearLine() {
        #expect(throws: ProfileProblems.self) { try NodeProfile.load(file: "/nowhere/p.yaml") }
        do {
            _ = try NodeProfile.load(file: "/nowhere/p.yaml")
        } catch {
            #expect(error.description == "/nowhere/p.yaml: found no such file, expected a profile")
        }
    }
}
