import Foundation
import Profiles
import Testing

@Suite struct ProfileSetTests {
    private func problemsBetween(_ profiles: [String]) throws -> [String] {
        let items = try profiles.enumerated().map {
            ProfileSet.Item(file: "\($0).yaml", profile: try NodeProfile.decode(yaml: $1, file: "\($0).yaml"))
        }
        do {
            _ = try ProfileSet(checking: items)
            return []
        } catch {
            return error.list.map(\.description)
        }
    }

    private let watching = Minimal.master.replacing(
        "nodes: [", with: "nodes: [{name: access-1, role: access, sip: \"127.0.0.1:5060\", http: \"127.0.0.1:8060\"}, ")

    @Test func fittingProfilesPass() throws {
        #expect(try problemsBetween([Minimal.access, Minimal.center, watching]) == [])
    }

    /// Another store is another bank.
    @Test func centersAndMastersHaveOneStore() throws {
        let other =
            Minimal.center.replacing("center-a", with: "center-b").replacing("5081", with: "5082")
            .replacing("8081", with: "8082").replacing("10000-19999", with: "20000-29999") + "\nstore: sqlite:b.sqlite"
        #expect(
            try problemsBetween([Minimal.center, other]) == [
                "1.yaml: store: found \"sqlite:b.sqlite\", expected sqlite:tandem.sqlite, as in 0.yaml"
            ])
    }

    @Test func namesAreUnique() throws {
        let twin = Minimal.center.replacing("5081", with: "5082").replacing("8081", with: "8082")
            .replacing("10000-19999", with: "20000-29999")
        #expect(
            try problemsBetween([Minimal.center, twin]) == [
                "1.yaml: name: found \"center-a\" as in 0.yaml, expected a name of its own"
            ])
    }

    @Test func portsAreNotSharedOnOneMachine() throws {
        let other = Minimal.center.replacing("center-a", with: "center-b").replacing(":5081", with: ":8081")
            .replacing("http: 127.0.0.1:8081", with: "http: 127.0.0.1:5081")
        #expect(
            try problemsBetween([Minimal.center, other]) == [
                "1.yaml: sip.listen: found \"127.0.0.1:8081\", taken by http of 0.yaml, expected a port of its own",
                "1.yaml: http: found \"127.0.0.1:5081\", taken by sip.listen of 0.yaml, expected a port of its own",
                "1.yaml: media.ports: found \"10000-19999\", which overlaps 10000-19999 of 0.yaml, "
                    + "expected ports of its own",
            ])
    }

    @Test func theSamePortOnAnotherAddressIsNoClash() throws {
        let other = Minimal.center.replacing("center-a", with: "center-b").replacing("127.0.0.1", with: "127.0.0.2")
        #expect(try problemsBetween([Minimal.center, other]) == [])
        let wildcard = Minimal.center.replacing("center-a", with: "center-b").replacing("8081", with: "8082")
            .replacing("[\"127.0.0.1:5081\"]", with: "[\"udp:0.0.0.0:5081\"], advertise: 127.0.0.1")
            .replacing("{ports: 10000-19999}", with: "{ports: 20000-29999, advertise: 127.0.0.1}")
        #expect(
            try problemsBetween([Minimal.center, wildcard]) == [
                "1.yaml: sip.listen: found \"0.0.0.0:5081\", taken by sip.listen of 0.yaml, expected a port of its own"
            ])
    }

    @Test func noListenerLiesAmongAnothersMediaPorts() throws {
        let other = Minimal.access.replacing("5060", with: "10020")
        #expect(
            try problemsBetween([Minimal.center, other]) == [
                "0.yaml: media.ports: found \"10000-19999\", which holds 127.0.0.1:10020 of 1.yaml, "
                    + "expected ports of its own"
            ])
    }

    @Test func theMasterWatchesEveryNodeWhereItIs() throws {
        #expect(
            try problemsBetween([Minimal.access, Minimal.center, Minimal.master]) == [
                "2.yaml: nodes: found no access-1, expected every node of the machine; access-1 is in 0.yaml"
            ])
        let wrong = watching.replacing("role: access", with: "role: center").replacing("5060", with: "5061")
            .replacing("8060", with: "8061")
        #expect(
            try problemsBetween([Minimal.access, Minimal.center, wrong]) == [
                "2.yaml: nodes[0].role: found \"center\", expected access, as in 0.yaml",
                "2.yaml: nodes[0].sip: found \"127.0.0.1:5061\", "
                    + "expected a UDP listener of 0.yaml: 127.0.0.1:5060",
                "2.yaml: nodes[0].http: found \"127.0.0.1:8061\", expected 127.0.0.1:8060, as in 0.yaml",
            ])
    }

    @Test func accessKnowsTheCentersWhereTheyAre() throws {
        let wrong = Minimal.access.replacing("5081", with: "5091")
        #expect(
            try problemsBetween([wrong, Minimal.center]) == [
                "0.yaml: centers[0].sip: found \"127.0.0.1:5091\", "
                    + "expected a UDP listener of 1.yaml: 127.0.0.1:5081"
            ])
        let confused = Minimal.access.replacing(
            "name: center-a, sip: \"127.0.0.1:5081\"",
            with: "name: master-a, sip: \"127.0.0.1:5070\"")
        #expect(
            try problemsBetween([confused, watching, Minimal.center]) == [
                "0.yaml: centers[0].name: found \"master-a\", "
                    + "expected a center; in 1.yaml it is a node of role master"
            ])
    }

    @Test func theShippedProfilesFitTogether() throws {
        let files = ["access-1", "center-a", "center-b", "master-a", "master-b"].map {
            "\(root)/sip-profiles/\($0).yaml"
        }
        let items = try files.map { file in
            ProfileSet.Item(
                file: file,
                profile: try NodeProfile.decode(yaml: String(contentsOfFile: file, encoding: .utf8), file: file))
        }
        let set = try ProfileSet(checking: items)
        #expect(set.items.map(\.profile.name) == ["access-1", "center-a", "center-b", "master-a", "master-b"])
        let ports = set.items.map {
            ($0.profile.common.sip.listeners.first?.endpoint.port, $0.profile.common.http.port)
        }
        #expect(ports.map(\.0) == [5060, 5081, 5082, 5070, 5071])
        #expect(ports.map(\.1) == [8060, 8081, 8082, 8080, 8088])
    }

    @Test func theShippedProfilesAlsoFitByIPv6() throws {
        let items = try ["access-1", "center-a", "center-b", "master-a", "master-b"].map { name in
            let text = try String(contentsOfFile: "\(root)/sip-profiles/\(name).yaml", encoding: .utf8)
                .replacing("127.0.0.1:50", with: "[::1]:50")
            return ProfileSet.Item(file: name, profile: try NodeProfile.decode(yaml: text, file: name))
        }
        _ = try ProfileSet(checking: items)
        guard case .center(let center) = items[1].profile else { throw WrongRole() }
        #expect(center.media.address == .v6(0, 1))
        #expect(center.common.sip.host(of: try #require(center.common.sip.listeners.first)) == "[::1]")
    }

    /// Also checks that the files which the profiles name are there.
    @Test func theShippedFolderLoads() throws {
        #expect(try ProfileSet.load(directory: root + "/sip-profiles").items.count == 5)
    }

    @Test func aMenuThatIsNotThereIsNamed() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Minimal.center.replacing("{echo: true}", with: "{menu: no/such.yaml}")
            .write(to: file, atomically: true, encoding: .utf8)
        do throws(ProfileProblems) {
            _ = try NodeProfile.load(file: file.path)
            Issue.record("loaded")
        } catch {
            let folder = file.deletingLastPathComponent().path
            #expect(
                error.description
                    == "\(file.path): lines.9196.menu: found \"no/such.yaml\", "
                    + "expected a readable file; \(folder)/no/such.yaml is none")
        }
    }

    @Test func aMissingMenuIsToldBesideOtherProblemsAndOtherMenusAreStillNamed() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try "x".write(toFile: folder + "/there.yaml", atomically: true, encoding: .utf8)
        let file = folder + "/center.yaml"
        try Minimal.center.replacing(
            "lines: {\"9196\": {echo: true}}", with: "lines: {\"1\": {menu: there.yaml}, \"2\": {menu: gone.yaml}}"
        ).replacing("10000-19999", with: "5-6").write(toFile: file, atomically: true, encoding: .utf8)
        let review = ProfileSet.review(files: [file])
        #expect(review.problems.map(\.path) == ["media.ports", "lines.2.menu"])
        #expect(review.menus.map(\.path) == [folder + "/there.yaml"])
        #expect(review.menus.map(\.prompts) == [folder + "/prompts"])
        #expect(review.items.isEmpty)
    }

    @Test func anEmptyFolderIsOneClearLine() throws {
        do {
            _ = try ProfileSet.load(directory: "/nowhere")
            Issue.record("loaded")
        } catch {
            #expect(error.description == "/nowhere: found no readable folder, expected a folder with profiles (*.yaml)")
        }
    }
}
