import Synchronization

/// Collects what comes on any thread.
final class EventList: Sendable {
    private let items = Mutex<[[UInt8]]>([])
    var all: [[UInt8]] { items.withLock { $0 } }
    func add(_ bytes: [UInt8]) { items.withLock { $0.append(bytes) } }
}
