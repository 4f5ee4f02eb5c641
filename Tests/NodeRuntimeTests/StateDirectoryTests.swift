import Foundation
import Testing

@testable import NodeRuntime

@Suite struct StateDirectoryTests {
    @Test func aFolderThatTakesNoFilesIsNamedWithTheReason() throws {
        // Nobody, not even root, makes files there.
        let error = try #require(throws: NodeFailure.self) { try StateDirectory("/proc/self").prepare() }
        #expect(error.status == 2)
        #expect(error.lines.count == 1)
        #expect(error.lines.first?.hasPrefix("/proc/self: the state directory cannot be made or written: ") == true)
        #expect(StateDirectory.refusal("/proc/self") != nil)
        #expect(StateDirectory.refusal("/nowhere") == "No such file or directory")
    }

    @Test func aWritableOneIsLeftClean() throws {
        let scratch = try ScratchState()
        try scratch.state.prepare()
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.state.path + "/run") == [])
        #expect(StateDirectory.refusal(scratch.state.path) == nil)
    }
}
