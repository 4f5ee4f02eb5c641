import Primitives

/// How bad one kind of path is in this run.
struct LinkQuality: Sendable {
    /// Of a million datagrams.
    var loss = 0
    var duplication = 0
    /// Of a million: those that take `spike` longer.
    var spikes = 0
    var spike = Duration.zero
    var delay: Duration
    /// Added evenly; what makes datagrams overtake each other.
    var jitter: Duration

    /// A delay this much longer than usual counts as a disturbance of the call.
    static let noticeable: Duration = .milliseconds(80)

    static func still(_ delay: Duration) -> LinkQuality { LinkQuality(delay: delay, jitter: .microseconds(200)) }

    /// Some runs are clean, some lose a little, some much.
    static func drawn(worst: Int, delay_ms: ClosedRange<Int>, using random: inout SeededRandom) -> LinkQuality {
        let grade = Int.random(in: 0...3, using: &random)
        return LinkQuality(
            loss: worst * grade * grade / 9, duplication: Int.random(in: 0...worst, using: &random),
            spikes: grade * 500, spike: .milliseconds(Int.random(in: 100...600, using: &random)),
            delay: .milliseconds(Int.random(in: delay_ms, using: &random)),
            jitter: .milliseconds(Int.random(in: 1...12, using: &random)))
    }
}

/// The paths by what they connect.
struct Network: Sendable {
    enum Path: Sendable { case caller, inner }

    var caller: LinkQuality
    var inner: LinkQuality
    /// RTP, as far as facts about it are delivered; in order and whole.
    var media: Duration

    init(isLossy: Bool, using random: inout SeededRandom) {
        guard isLossy else {
            caller = .still(.milliseconds(4))
            inner = .still(.microseconds(500))
            media = .milliseconds(5)
            return
        }
        caller = .drawn(worst: 60_000, delay_ms: 1...25, using: &random)
        inner = .drawn(worst: 4_000, delay_ms: 0...3, using: &random)
        media = caller.delay
    }

    subscript(path: Path) -> LinkQuality { path == .caller ? caller : inner }
}
