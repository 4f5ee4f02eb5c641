import Primitives

/// A process: it runs, stands still, or is gone.
struct Process: Sendable {
    /// Datagrams that a socket keeps for a process that does not read; what comes then is dropped.
    static let socketBuffer = 300

    /// Counts starts.
    private(set) var life = 0
    private(set) var isRunning = false
    /// Stopped by a signal, or its machine stood still: nothing that is due happens.
    private(set) var frozenSince: MonotonicTime?
    /// What is due when it goes on.
    private var parked: [WorldEvent] = []
    private var parkedDatagrams = 0
    /// Its host does not even refuse.
    var isHostGone = false
    /// How far its wall clock is off.
    var wallOffset = Duration.zero
    /// When it began, or went on after a freeze.
    private(set) var since = MonotonicTime.zero

    var isFrozen: Bool { frozenSince != nil }
    /// It runs and is not frozen.
    var isAtWork: Bool { isRunning && frozenSince == nil }

    mutating func start(at now: MonotonicTime) {
        life += 1
        isRunning = true
        isHostGone = false
        frozenSince = nil
        forget()
        since = now
    }

    mutating func end(hostGone: Bool) {
        isRunning = false
        isHostGone = hostGone
        frozenSince = nil
        forget()
    }

    mutating func freeze(at now: MonotonicTime) { frozenSince = now }

    /// What became due meanwhile.
    mutating func thaw(at now: MonotonicTime) -> [WorldEvent] {
        frozenSince = nil
        since = now
        let due = parked
        forget()
        return due
    }

    mutating func park(_ event: WorldEvent) {
        if case .arrives = event {
            guard parkedDatagrams < Self.socketBuffer else { return }
            parkedDatagrams += 1
        }
        parked.append(event)
    }

    private mutating func forget() {
        parked = []
        parkedDatagrams = 0
    }
}
