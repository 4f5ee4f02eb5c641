import Dispatch
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// One builder at a time in a directory: centers of one state directory read their menus again at the same moment.
struct FolderLock: Sendable {
    private let descriptor: Int32

    /// Waits until no other builder is at work there. Nil where the directory takes no files: then nothing is built.
    static func take(in folder: String) async -> FolderLock? {
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let descriptor = open(folder + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return nil }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            // A builder may hold it for minutes: not on a thread that others need.
            DispatchQueue.global().async {
                while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
                continuation.resume()
            }
        }
        return FolderLock(descriptor: descriptor)
    }

    /// The kernel lets go of it too when the process ends.
    func release() { close(descriptor) }
}
