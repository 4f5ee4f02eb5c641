import Foundation
import Primitives
import Testing

/// What the system says of a file, without Foundation's sentences around it.
@Suite struct FileReasonTests {
    private func reason(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch { return fileReason(error) }
    }

    @Test func aMissingFileAndAMissingFolder() {
        #expect(reason { _ = try String(contentsOfFile: "/nowhere/a", encoding: .utf8) } == "no such file or directory")
        #expect(
            reason { try "a".write(toFile: "/nowhere/a", atomically: true, encoding: .utf8) }
                == "no such file or directory")
        #expect(
            reason { try "a".write(toFile: "/nowhere/a", atomically: false, encoding: .utf8) }
                == "no such file or directory")
    }

    @Test func whatIsNoTextAndWhatIsNoFolder() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data([0xFF, 0xFE, 0x41]).write(to: URL(fileURLWithPath: file))
        #expect(reason { _ = try String(contentsOfFile: file, encoding: .utf8) } == "no text in UTF-8")
        let below = reason {
            try FileManager.default.createDirectory(atPath: file + "/below", withIntermediateDirectories: true)
        }
        #expect(["not a directory", "file exists"].contains(below), "\(below ?? "it was made")")
    }
}
