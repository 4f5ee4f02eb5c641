import Foundation
import Profiles

#if canImport(Glibc)
    import Glibc
#endif

/// Where the nodes of a state directory keep their store, for commands that have no profile at hand: `run/store` holds
/// what the profile of the last node that was started says. Its owner alone may read it: a URL may hold a password.
public struct StoreNote: Sendable {
    let path: String

    public init(in state: StateDirectory) { path = state.path + "/run/store" }

    /// Writes the note; a reader finds the former one or this one whole. Blocks on the disk.
    public func leave(_ location: StoreLocation) throws(NodeFailure) {
        let text: String
        switch location {
        case .sqlite(let path): text = "sqlite:\(path)\n"
        case .postgres(let url): text = "\(url)\n"
        }
        let draft = "\(path).\(getpid()).\(UInt32.random(in: .min ... .max))"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw problem() }
        let bytes = Array(text.utf8)
        let isWritten = write(file, bytes, bytes.count) == bytes.count
        close(file)
        guard isWritten, rename(draft, path) == 0 else {
            let failure = problem()
            unlink(draft)
            throw failure
        }
    }

    /// Nil where no node was started with this state directory, or what is there is no store.
    public func read() -> StoreLocation? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return StoreLocation(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private func problem() -> NodeFailure {
        .failed("\(path): cannot be written: \(String(cString: strerror(errno)))")
    }
}
