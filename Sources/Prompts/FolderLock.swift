import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// One builder at a time in a directory: centers of one state directory read their menus again at the same moment.
struct FolderLock: Sendable {
    private let descriptor: Int32

    /// Waits until no other builder is at work there. Nil where the directory takes no files, or the other one is not
    /// done in time: whoever asks goes on without.
    static func take(in folder: String, within patience: Duration) async -> FolderLock? {
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let descriptor = open(folder + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return nil }
        let deadline = ContinuousClock.now + patience
        // Nobody tells of a lock's end but a thread that waits for it, and that could not be given up.
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR, ContinuousClock.now < deadline, !Task.isCancelled else {
                close(descriptor)
                return nil
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        return FolderLock(descriptor: descriptor)
    }

    /// The kernel lets go of it too when the process ends.
    func release() { close(descriptor) }
}
