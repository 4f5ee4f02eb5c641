import Foundation
import Testing

@testable import Banking
import NodeRuntime

@Suite final class PINKeyFileTests {
    let directory = FileManager.default.temporaryDirectory.appending(path: "tandem-key-\(UUID())").path
    var path: String { directory + "/pin-key" }

    init() throws { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: directory) }

    @Test func theKeyIsMadeOnceAndOnlyItsOwnerMayReadIt() throws {
        let key = try PINKeyFile.loadOrCreate(at: path)
        #expect(try PINKeyFile.loadOrCreate(at: path).id == key.id)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["pin-key"])
    }

    @Test func nodesThatStartTogetherGetOneKey() async throws {
        let path = path
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 { group.addTask { try PINKeyFile.loadOrCreate(at: path).id } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
    }

    @Test func aKeyThatOthersMayReadIsRefused() throws {
        _ = try PINKeyFile.loadOrCreate(at: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        let error = #expect(throws: PINKeyFileError.self) { try PINKeyFile.loadOrCreate(at: self.path) }
        #expect(error?.problem.contains("chmod 600") == true)
    }

    @Test(arguments: ["", "abc", String(repeating: "g", count: 64), String(repeating: "a", count: 66)])
    func aFileThatIsNoKeyIsLeftAlone(_ content: String) throws {
        _ = FileManager.default.createFile(
            atPath: path, contents: Data(content.utf8), attributes: [.posixPermissions: 0o600])
        #expect(throws: PINKeyFileError.self) { try PINKeyFile.loadOrCreate(at: self.path) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == content)
    }

    @Test func aMissingDirectoryIsSaid() {
        let error = #expect(throws: PINKeyFileError.self) {
            try PINKeyFile.loadOrCreate(at: self.directory + "/no/key")
        }
        #expect(error?.description.contains("No such file") == true)
    }
}
