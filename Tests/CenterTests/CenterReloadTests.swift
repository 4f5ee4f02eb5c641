import Foundation
import HTTPKit
import Logging
import Media
import NodeRuntime
import Primitives
import Profiles
import Speech
import Telemetry
import Testing

@testable import Center

/// A whole center on loopback, with a menu, prompt texts and a voice of its own in a folder that goes with it.
private final class LoneCenter {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("center-\(UUID().uuidString)").path
    let registry = MetricRegistry()
    private(set) var node: CenterNode?

    init() throws {
        try FileManager.default.createDirectory(atPath: folder + "/prompts/en", withIntermediateDirectories: true)
        let voice = WAVFile.write((0..<800).map { Int16(($0 % 40) * 400) })
        try Data(voice).write(to: URL(fileURLWithPath: folder + "/voice.wav"))
        try menu(says: "[welcome]")
        try prompts(["welcome"])
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func menu(says what: String) throws {
        try """
        menu: test
        version: "1"
        languages: [en]
        start: hello
        exhausted: hello
        states:
          hello: {say: \(what), hang-up: menu}
        """.write(toFile: folder + "/menu.yaml", atomically: true, encoding: .utf8)
    }

    func prompts(_ names: [String]) throws {
        let lines = names.map { "  \($0): This is \($0).\n" }.joined()
        try "language: en\nclips:\n\(lines)".write(
            toFile: folder + "/prompts/en.yaml", atomically: true, encoding: .utf8)
    }

    func record(_ name: String, samples: Int) throws {
        try Data(WAVFile.write([Int16](repeating: 5000, count: samples)))
            .write(to: URL(fileURLWithPath: "\(folder)/prompts/en/\(name).wav"))
    }

    func start() async throws -> CenterNode {
        let decoded = try NodeProfile.decode(
            yaml: """
                role: center
                name: center-t
                sip: {listen: ["127.0.0.1:5081"]}
                http: 127.0.0.1:8081
                lines: {"1": {menu: menu.yaml}}
                media: {ports: 26900-26999}
                limits: {calls: 10}
                languages:
                  en: {voice: "cp \(folder)/voice.wav {output}"}
                """, file: folder + "/center-t.yaml")
        guard case .center(var profile) = decoded, let any = Endpoint("127.0.0.1:0") else { throw WrongProfile() }
        profile.common.sip.listeners = [SIPListener(.udp, any)]
        profile.drain = .zero
        let state = StateDirectory(folder + "/state")
        try state.prepare()
        var log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        log.logLevel = .critical
        let node = try await CenterNode.start(
            profile, file: folder + "/center-t.yaml", state: state, registry: registry, log: log)
        self.node = node
        return node
    }

    struct WrongProfile: Error {}

    /// How long the clip plays that calls hear under this name; nil where there is none.
    func milliseconds(_ name: String) -> Int? {
        guard let library = node?.library.library else { return nil }
        return library.id(ClipName(language: "en", name)).map { library.audio.milliseconds($0) }
    }
}

@Suite struct CenterReloadTests {
    private func withCenter(_ test: (LoneCenter, CenterNode) async throws -> Void) async throws {
        let center = try LoneCenter()
        let node = try await center.start()
        do { try await test(center, node) } catch {
            await node.drainAndStop()
            throw error
        }
        await node.drainAndStop()
    }

    @Test func aNewMenuFindsItsNewPromptsAndRecordingsWithoutARestart() async throws {
        try await withCenter { center, node in
            #expect(center.milliseconds("welcome") != nil && center.milliseconds("new-text") == nil)
            try center.menu(says: "[welcome, new-text, new-recording]")
            try center.prompts(["welcome", "new-text", "new-recording"])
            try center.record("new-recording", samples: 1600)
            try center.record("welcome", samples: 4000)
            await node.reload()
            #expect(await node.health().degraded == [])
            #expect(center.milliseconds("new-text") != nil)
            #expect(center.milliseconds("new-recording") == 200)
            #expect(center.milliseconds("welcome") == 500, "a recording beside the text wins from now on")
        }
    }

    @Test func aRefusedMenuIsSaidInHealthUntilAGoodOneIsTaken() async throws {
        try await withCenter { center, node in
            try center.menu(says: "[no-such-prompt]")
            await node.reload()
            let degraded = await node.health().degraded
            #expect(degraded.count == 1)
            #expect(degraded.first?.contains("menu.yaml:7") == true, "\(degraded)")
            #expect(await node.health().canServe)
            try center.menu(says: "[welcome]")
            await node.reload()
            #expect(await node.health().degraded == [])
        }
    }

    @Test func aRefusedRecordingLeavesTheSoundThatWasThere() async throws {
        try await withCenter { center, node in
            let before = center.milliseconds("welcome")
            try Data("no sound".utf8).write(to: URL(fileURLWithPath: center.folder + "/prompts/en/welcome.wav"))
            await node.reload()
            #expect(await node.health().degraded.first?.contains("welcome.wav") == true)
            #expect(center.milliseconds("welcome") == before && before != nil)
        }
    }

    @Test func messagesAndRejectedDigitsAreCountedUnderNamesThatStay() async throws {
        try await withCenter { center, _ in
            let text = center.registry.render()
            #expect(text.contains("tandem_digits_rejected_total{reason=\"out-of-range\"} 0"))
            #expect(text.contains("tandem_digits_rejected_total{reason=\"late\"} 0"))
            #expect(text.contains("tandem_sip_messages_total{direction=\"out\",method=\"BYE\"} 0"))
            #expect(!text.contains("method=\"request\"") && !text.contains("method=\"response\""))
        }
    }
}
