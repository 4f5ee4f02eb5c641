import Foundation
import Profiles
import Routing
import Testing
import Yams

/// What holds for every key that the decoder knows, taken from the decoder itself.
@Suite struct ProfileReferenceTests {
    static let everyKey: [(NodeRole, ProfileKey)] = ProfileReference.roles.flatMap { role in
        ProfileReference.keys(of: role).map { (role, $0) }
    }

    @Test(arguments: everyKey)
    func everyKeyRefusesAWrongValueByItsPath(role: NodeRole, key: ProfileKey) throws {
        let base = [NodeRole.access: Minimal.access, .center: Minimal.center, .master: Minimal.master][role] ?? ""
        var document = try #require(try Yams.load(yaml: base) as? [String: Any])
        // A mapping is no scalar and no list; for mappings a text is wrong.
        let wrong: Any = key.expected.hasPrefix("a mapping of") ? "wrong" : ["wrong": 1]
        var steps: [String] = []
        for part in key.path.split(separator: ".") {
            if part.hasSuffix("[]") {
                steps += [String(part.dropLast(2)), "[0]"]
            } else if part == "<line>" {
                steps.append("9196")
            } else if part == "<language>" {
                steps.append("en")
            } else {
                steps.append(String(part))
            }
        }
        document = try #require(setting(wrong, at: steps[...], in: document) as? [String: Any])
        let path = steps.joined(separator: ".").replacing(".[0]", with: "[0]")
        let found = problems(try Yams.dump(object: document))
        let start = "p.yaml: \(path): found \(key.expected.hasPrefix("a mapping of") ? "\"wrong\"" : "a mapping"), "
        #expect(found.contains { $0 == start + "expected " + key.expected }, "\(found)")
    }

    private func setting(_ value: Any, at steps: ArraySlice<String>, in node: Any?) -> Any {
        guard let step = steps.first else { return value }
        if step == "[0]" {
            let list = node as? [Any] ?? []
            return [setting(value, at: steps.dropFirst(), in: list.first)]
        }
        var mapping = node as? [String: Any] ?? [:]
        mapping[step] = setting(value, at: steps.dropFirst(), in: mapping[step])
        return mapping
    }

    @Test(arguments: ProfileReference.roles)
    func everyKeyIsKnownOnceAndExplained(role: NodeRole) {
        let keys = ProfileReference.keys(of: role)
        #expect(Set(keys.map(\.path)).count == keys.count)
        #expect(keys.allSatisfy { $0.meaning.count > 10 })
        #expect(keys.count > 20)
    }

    /// With TANDEM_WRITE_DOCS=1 the reference is written instead.
    @Test func theReferenceSaysWhatTheDecoderKnows() throws {
        let file = root + "/docs/PROFILES.md"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let mark = "<!-- keys: made from the decoder -->\n"
        let parts = text.components(separatedBy: mark)
        try #require(parts.count == 3)
        if ProcessInfo.processInfo.environment["TANDEM_WRITE_DOCS"] == "1" {
            try (parts[0] + mark + ProfileReference.markdown() + mark + parts[2])
                .write(toFile: file, atomically: true, encoding: .utf8)
        } else {
            #expect(parts[1] == ProfileReference.markdown(), "run the tests with TANDEM_WRITE_DOCS=1")
        }
    }
}
