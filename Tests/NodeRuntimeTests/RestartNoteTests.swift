import Foundation
import NodeRuntime
import Testing

/// A state directory for one test, removed with it.
final class ScratchState {
    let state = StateDirectory(
        FileManager.default.temporaryDirectory.appendingPathComponent("state-\(UUID().uuidString)").path)

    init() throws { try state.prepare() }
    deinit { try? FileManager.default.removeItem(atPath: state.path) }
}

@Suite struct RestartNoteTests {
    @Test func aNoteIsTakenOnceByTheProcessThatItNames() throws {
        let scratch = try ScratchState()
        let note = RestartNote(.killed, of: "center-a", in: scratch.state)
        try note.leave(for: 41)
        #expect(FileManager.default.fileExists(atPath: scratch.state.path + "/run/center-a.killed"))
        #expect(RestartNote(.killed, of: "center-a", in: scratch.state).take(for: 41))
        #expect(!note.take(for: 41))
    }

    @Test func aNoteForAnotherProcessBringsNobodyBackAndIsGone() throws {
        let scratch = try ScratchState()
        let note = RestartNote(.restart, of: "center-a", in: scratch.state)
        try note.leave(for: 41)
        #expect(!note.take(for: 42))
        #expect(!note.take(for: 41), "the process that it named never ended: it must not come back by an old note")
    }

    @Test func nodesAndReasonsHaveNotesOfTheirOwn() throws {
        let scratch = try ScratchState()
        try RestartNote(.killed, of: "center-a", in: scratch.state).leave(for: 41)
        #expect(!RestartNote(.restart, of: "center-a", in: scratch.state).take(for: 41))
        #expect(!RestartNote(.killed, of: "center-b", in: scratch.state).take(for: 41))
        #expect(RestartNote(.killed, of: "center-a", in: scratch.state).take(for: 41))
    }
}
