import Foundation
import Testing

@testable import tandem

@Suite struct ProfileCheckTests {
    /// Profiles, menus and prompt texts of one test.
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("check-\(UUID().uuidString)").path

        init(_ files: [String: String]) throws {
            for (name, text) in files {
                let url = URL(fileURLWithPath: path + "/" + name)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try text.write(to: url, atomically: true, encoding: .utf8)
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    static let center = """
        role: center
        name: center-a
        sip: {listen: ["127.0.0.1:5081"]}
        http: 127.0.0.1:8081
        lines: {"1": {menu: menus/a.yaml}, "2": {menu: menus/gone.yaml}}
        media: {ports: 10000-19999}
        """
    static let menu = """
        menu: small
        version: "1"
        languages: [en]
        start: first
        exhausted: bye
        states:
          first: {say: [hello], keys: {"1": nowhere}}
          bye: {say: [goodbye], hang-up: menu}
        """

    private func lines(_ files: [String: String]) throws -> [String] {
        let folder = try Folder(files)
        return ProfileCheck(files: [folder.path + "/center.yaml"]).errors.map {
            $0.replacing(folder.path + "/", with: "")
        }
    }

    @Test func problemsOfProfileMenuAndPromptsAreToldInOneRun() throws {
        let found = try lines([
            "center.yaml": Self.center.replacing("http: 127.0.0.1:8081", with: "http: nowhere"),
            "menus/a.yaml": Self.menu, "prompts/en.yaml": "language: en\nclips: {goodbye: Bye, Wrong Name: x}",
        ])
        #expect(found.count == 5, "\(found)")
        #expect(found.contains { $0.hasPrefix("center.yaml: http: found \"nowhere\"") }, "\(found)")
        #expect(found.contains { $0.hasPrefix("center.yaml: lines.2.menu: found \"menus/gone.yaml\"") }, "\(found)")
        #expect(found.contains("menus/a.yaml:7: error: there is no state \"nowhere\""), "\(found)")
        #expect(found.contains("menus/a.yaml:7: error: the clip \"hello\" has no text in \"en\""), "\(found)")
        #expect(found.contains { $0.hasPrefix("prompts/en.yaml:2: error: found \"Wrong Name\"") }, "\(found)")
    }

    /// Texts that cannot be read at all are one mistake, not one for each clip.
    @Test func unreadableTextsAreSaidOnce() throws {
        let found = try lines([
            "center.yaml": Self.center.replacing(", \"2\": {menu: menus/gone.yaml}", with: ""),
            "menus/a.yaml": Self.menu.replacing("nowhere", with: "bye"),
            "prompts/en.yaml": "language: en\nclips: {goodbye: Bye, hello: Hello, hello: Hi}",
        ])
        #expect(found.count == 1 && found.first?.hasPrefix("prompts/en.yaml:") == true, "\(found)")
    }

    @Test func aRecordingThatCannotBePlayedIsFound() throws {
        let found = try lines([
            "center.yaml": Self.center.replacing(", \"2\": {menu: menus/gone.yaml}", with: ""),
            "menus/a.yaml": Self.menu.replacing("nowhere", with: "bye"),
            "prompts/en.yaml": "language: en\nclips: {goodbye: Bye, hello: Hello}", "prompts/en/hello.wav": "x",
        ])
        #expect(found == ["prompts/en/hello.wav: error: not readable as a prompt: no RIFF/WAVE file"])
    }

    @Test func aSoundProfileHasNone() throws {
        let found = try lines([
            "center.yaml": Self.center.replacing(", \"2\": {menu: menus/gone.yaml}", with: ""),
            "menus/a.yaml": Self.menu.replacing("nowhere", with: "bye"),
            "prompts/en.yaml": "language: en\nclips: {goodbye: Bye, hello: Hello}",
        ])
        #expect(found == [])
    }
}
