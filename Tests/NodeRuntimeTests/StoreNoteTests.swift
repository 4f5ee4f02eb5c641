import Foundation
import Testing

@testable import NodeRuntime

@Suite struct StoreNoteTests {
    @Test func commandsReadWhatTheLastNodeLeft() throws {
        let scratch = try ScratchState()
        let note = StoreNote(in: scratch.state)
        #expect(note.read() == nil)
        try note.leave(.sqlite(path: "tandem.sqlite"))
        #expect(note.read() == .sqlite(path: "tandem.sqlite"))
        try note.leave(.postgres(url: "postgres://tandem:secret@db-1/tandem"))
        #expect(note.read() == .postgres(url: "postgres://tandem:secret@db-1/tandem"))
    }

    @Test func nobodyElseReadsThePasswordInIt() throws {
        let scratch = try ScratchState()
        try StoreNote(in: scratch.state).leave(.postgres(url: "postgres://tandem:secret@db-1/tandem"))
        let run = scratch.state.path + "/run"
        #expect(try FileManager.default.contentsOfDirectory(atPath: run) == ["store"])
        let mode = try FileManager.default.attributesOfItem(atPath: run + "/store")[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func anUnreadableNoteIsNone() throws {
        let scratch = try ScratchState()
        try "here and there".write(toFile: scratch.state.path + "/run/store", atomically: true, encoding: .utf8)
        #expect(StoreNote(in: scratch.state).read() == nil)
    }

    @Test func aFolderThatIsNotThereIsNamed() throws {
        let error = try #require(throws: NodeFailure.self) {
            try StoreNote(in: StateDirectory("/nowhere")).leave(.sqlite(path: "tandem.sqlite"))
        }
        #expect(error.lines == ["/nowhere/run/store: cannot be written: No such file or directory"])
    }
}
