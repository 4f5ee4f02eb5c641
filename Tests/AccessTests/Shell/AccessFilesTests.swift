import Cryptography
import Foundation
import Logging
import NodeRuntime
import Primitives
import Routing
import SIP
import Testing

@testable import Access

@Suite struct AccessFilesTests {
    private let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    @Test func keptTableIsReadBackWithoutLoads() throws {
        try inFolder { folder in
            let file = RouteTableFile(path: folder + "/access-1.routes.json")
            var loaded = RouteEntry.centerA
            loaded.calls = 12
            try file.write(Known.table(3, [loaded, .centerB]))
            #expect(file.read(log: log) == Known.table(3, [.centerA, .centerB]))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["access-1.routes.json"])
        }
    }

    @Test func tableInWhichNobodyTakesCallsIsNotUsed() throws {
        try inFolder { folder in
            let file = RouteTableFile(path: folder + "/t.json")
            try file.write(Known.table(3, [.centerA.with(state: .down)]))
            #expect(file.read(log: log) == nil)
        }
    }

    @Test(arguments: ["", "{", "{\"store\":1}"]) func damagedTableIsNotUsed(content: String) throws {
        try inFolder { folder in
            let file = RouteTableFile(path: folder + "/t.json")
            try content.write(toFile: file.path, atomically: true, encoding: .utf8)
            #expect(file.read(log: log) == nil)
        }
    }

    @Test func keyIsMadeOnceForTheOwnerOnly() throws {
        try inFolder { folder in
            let path = folder + "/flow-key"
            let first = try FlowKeyFile.loadOrMake(at: path)
            let second = try FlowKeyFile.loadOrMake(at: path)
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let token = try #require(FlowTokens(incarnation: "z", key: first).token(for: .caller))
            #expect(FlowTokens(incarnation: "y", key: second).flow(of: token) == .caller)
            #expect(FlowTokens(incarnation: "z", key: HMACKey([UInt8](repeating: 7, count: 32))).flow(of: token) == nil)
        }
    }

    @Test func keyThatOthersMayReadOrThatIsNoneIsRefused() throws {
        try inFolder { folder in
            let path = folder + "/flow-key"
            _ = try FlowKeyFile.loadOrMake(at: path)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            #expect(throws: NodeFailure.self) { try FlowKeyFile.loadOrMake(at: path) }
            try FileManager.default.removeItem(atPath: path)
            try "short\n".write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            #expect(throws: NodeFailure.self) { try FlowKeyFile.loadOrMake(at: path) }
        }
    }

    @Test func mastersByNumberAndByName() throws {
        #expect(try MasterAddress("http://127.0.0.1:8080")?.endpoint() == Endpoint("127.0.0.1:8080"))
        #expect(try MasterAddress("http://[::1]:8080")?.endpoint() == Endpoint("[::1]:8080"))
        #expect(try MasterAddress("http://localhost:8080")?.endpoint().port == 8080)
        #expect(MasterAddress("https://127.0.0.1:8080") == nil)
    }
}
