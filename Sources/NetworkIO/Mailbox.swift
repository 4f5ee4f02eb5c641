import CDatagram
import Glibc
import Synchronization

/// What other threads have to say to a loop: a bounded queue that many post to and one loop empties.
/// The loop is woken only when it sleeps, so a busy loop costs its posters no system call.
public final class Mailbox<Message: Sendable>: Sendable {
    private struct State: Sendable {
        var waiting: [Message] = []
        var refused: UInt64 = 0
        var isClosed = false
    }

    /// The most messages that wait at any time.
    public let capacity: Int
    private let state: Mutex<State>
    // Beside the lock, so that a round of the loop without messages takes no lock. Poster and reader each write their own
    // and then read the other's, in one total order: a message is never left behind by a reader that goes to sleep.
    private let waitingCount = Atomic<Int>(0)
    private let readerSleeps = Atomic<Bool>(false)
    private let wakeUp: WakeUp

    public init(capacity: Int) throws(SocketError) {
        precondition(capacity > 0, "a mailbox of capacity \(capacity) takes nothing")
        self.capacity = capacity
        wakeUp = try WakeUp()
        state = Mutex(State())
    }

    /// Readable while the loop has been asked to wake up.
    var descriptor: Int32 { wakeUp.descriptor }

    /// False when the mailbox is full or its loop has ended: the message was not taken, and the poster has to say so
    /// to whoever it works for.
    @discardableResult
    public func post(_ message: Message) -> Bool {
        let taken = state.withLock { state in
            guard state.waiting.count < capacity, !state.isClosed else {
                state.refused &+= 1
                return false
            }
            state.waiting.append(message)
            waitingCount.store(state.waiting.count, ordering: .sequentiallyConsistent)
            return true
        }
        if taken, readerSleeps.load(ordering: .sequentiallyConsistent),
            readerSleeps.exchange(false, ordering: .sequentiallyConsistent)
        {
            wakeUp.signal()
        }
        return taken
    }

    /// How many messages wait.
    public var depth: Int { waitingCount.load(ordering: .relaxed) }
    /// How many messages were not taken, since the start.
    public var refused: UInt64 { state.withLock { $0.refused } }

    /// Wakes the loop without a message.
    func nudge() { wakeUp.signal() }

    /// Takes all that waits into `batch`, which must be empty; its storage becomes the new queue's.
    func takeAll(into batch: inout [Message]) {
        state.withLock { state in
            guard !state.waiting.isEmpty else { return }
            swap(&state.waiting, &batch)
            waitingCount.store(0, ordering: .sequentiallyConsistent)
        }
    }

    /// Announces that the reader is about to sleep; false when something waits and it must not.
    func prepareToSleep() -> Bool {
        readerSleeps.store(true, ordering: .sequentiallyConsistent)
        if waitingCount.load(ordering: .sequentiallyConsistent) == 0 { return true }
        readerSleeps.store(false, ordering: .relaxed)
        return false
    }

    func wokeUp() { readerSleeps.store(false, ordering: .relaxed) }

    func clearWakeUp() { wakeUp.clear() }

    /// Refuses everything from now on; what waited is dropped.
    func close() {
        state.withLock {
            $0.isClosed = true
            $0.waiting = []
            waitingCount.store(0, ordering: .relaxed)
        }
    }
}

/// An eventfd with an owner.
final class WakeUp: Sendable {
    let descriptor: Int32

    init() throws(SocketError) {
        descriptor = cdg_eventfd_create()
        guard descriptor >= 0 else { throw SocketError(nil, code: -descriptor, transport: "eventfd") }
    }

    deinit { cdg_close(descriptor) }
    func signal() { cdg_eventfd_signal(descriptor) }
    func clear() { cdg_eventfd_drain(descriptor) }
}

/// The way into a loop that is not there yet when its sources are made: what comes before it opens is refused.
public final class LateMailbox<Message: Sendable>: Sendable {
    private let mailbox = Mutex<Mailbox<Message>?>(nil)

    public init() {}

    public func open(_ mailbox: Mailbox<Message>) { self.mailbox.withLock { $0 = mailbox } }

    /// False while it is not open, and where `Mailbox.post` says so.
    @discardableResult
    public func post(_ message: Message) -> Bool { mailbox.withLock { $0 }?.post(message) ?? false }
}
