import Foundation
import Primitives
import Testing

@testable import tandem

@Suite struct MasterOptionsTests {
    private static let master = BankStoreTests.master.replacing("8080", with: "18080")

    private func endpoints(_ folder: BankStoreTests.Folder) throws -> [String] {
        let command = try CallsCommand.parse(["--state", folder.path, "--profiles", folder.path])
        return try command.options.client().endpoints.map(\.description)
    }

    private func folder() throws -> BankStoreTests.Folder {
        let folder = try BankStoreTests.Folder()
        try FileManager.default.createDirectory(atPath: folder.path + "/secrets", withIntermediateDirectories: true)
        try folder.write("0123456789abcdef0123456789abcdef\n", to: "secrets/api-token")
        #expect(chmod(folder.path + "/secrets/api-token", 0o600) == 0)
        return folder
    }

    /// Somebody is editing a profile while the system runs: whoever asks the masters is answered all the same.
    @Test func aBrokenProfileDoesNotHideTheMastersThatRun() throws {
        let folder = try folder()
        try folder.write("master http://127.0.0.1:8088\n", to: "run/master-b.http")
        try folder.write("role: center\nname: [\n", to: "center-a.yaml")
        #expect(try endpoints(folder) == ["127.0.0.1:8088"])
        try folder.write(Self.master, to: "master-a.yaml")
        #expect(try endpoints(folder) == ["127.0.0.1:8088", "127.0.0.1:18080"])
        try FileManager.default.removeItem(atPath: folder.path + "/center-a.yaml")
        #expect(try endpoints(folder) == ["127.0.0.1:8088", "127.0.0.1:18080"])
    }

    @Test func whereNothingElseTellsABrokenProfileIsNamed() throws {
        let folder = try folder()
        try folder.write(Self.master, to: "master-a.yaml")
        #expect(try endpoints(folder) == ["127.0.0.1:18080"])
        try folder.write("role: center\nname: [\n", to: "center-a.yaml")
        let failure = #expect(throws: CommandFailure.self) { _ = try endpoints(folder) }
        #expect(failure?.status == 2)
        #expect(failure?.lines.contains { $0.contains("center-a.yaml") } == true)
    }
}
