import Primitives

/// What one caller heard, from the arrival times of its packets. All arithmetic is exact, in nanoseconds.
///
/// A **gap** is the time between two packets that follow each other; the time from the last packet to the end of the
/// call is one too, so that audio that went away for good shows as the long gap that it is. The time from the answer to
/// the first packet is kept apart. While the other side holds the call nothing is expected, and nothing counts.
/// Audio is what the present sender says: once another synchronisation source spoke, packets of former ones are late.
public struct ReceptionMeter: Hashable, Sendable {
    /// The call was answered.
    public let begun: MonotonicTime
    public private(set) var packets = 0
    /// Packets of former sources after their successor had spoken; they count as nothing else.
    public private(set) var late = 0
    public private(set) var first: MonotonicTime?
    public private(set) var last: MonotonicTime?
    public private(set) var longestGap = Duration.zero
    /// When the longest gap ended.
    public private(set) var longestGapEnd: MonotonicTime?
    /// Nil until the end.
    public private(set) var ended: MonotonicTime?
    /// From when the next gap counts; nil while nothing is expected.
    private var mark: MonotonicTime?
    private var source: UInt32?
    /// The last ones; more senders in one call than these are not told apart.
    private var formerSources: [UInt32] = []
    private static let formerSourceLimit = 16
    /// Time that the other side held the call.
    private var heldSince: MonotonicTime?
    private var held = Duration.zero

    public init(begun: MonotonicTime) {
        self.begun = begun
        mark = begun
    }

    /// A packet arrived from a synchronisation source (SSRC, RFC 3550 §8). Times that run backwards, as after civil time
    /// was set, count as no time.
    public mutating func heard(at arrival: MonotonicTime, from sender: UInt32) {
        if sender != source {
            guard !formerSources.contains(sender) else {
                late += 1
                return
            }
            if let source {
                if formerSources.count == Self.formerSourceLimit { formerSources.removeFirst() }
                formerSources.append(source)
            }
            source = sender
        }
        let time = max(arrival, last ?? arrival)
        packets += 1
        // What still arrives of audio that was on its way when the hold began.
        guard heldSince == nil else {
            first = first ?? time
            last = time
            return
        }
        if first != nil, let mark { note(time - mark, endingAt: time) }
        first = first ?? time
        last = time
        mark = time
    }

    /// From now on the other side sends nothing on purpose.
    public mutating func hold(at time: MonotonicTime) {
        guard heldSince == nil else { return }
        if packets > 0, let mark { note(time - mark, endingAt: time) }
        heldSince = time
        mark = nil
    }

    /// From now on audio is expected again.
    public mutating func resume(at time: MonotonicTime) {
        guard let since = heldSince else { return }
        held += time - since
        heldSince = nil
        mark = max(time, last ?? time)
    }

    /// The call ended: nothing is expected from here on.
    public mutating func end(at time: MonotonicTime) {
        guard ended == nil else { return }
        if packets > 0, let mark { note(time - mark, endingAt: time) }
        if let since = heldSince { held += time - since }
        heldSince = nil
        mark = nil
        ended = time
    }

    private mutating func note(_ gap: Duration, endingAt time: MonotonicTime) {
        guard gap > longestGap else { return }
        longestGap = gap
        longestGapEnd = time
    }

    /// From the answer to the first packet; all of the time that audio was expected where none came.
    public var wait: Duration {
        if let first { return max(.zero, first - begun) }
        return ended.map { max(.zero, $0 - begun - held) } ?? .zero
    }

    /// Packets a second between the first and the last; nil below two packets. Audio that stopped before the end of the
    /// call lowers it.
    public var packetsPerSecond: Double? {
        guard packets > 1, let first, let last else { return nil }
        // What a steady stream leaves open at its end is no missing audio.
        let isMissed = ended.map { $0 - last > .milliseconds(100) } ?? false
        let end = isMissed ? ended ?? last : last
        let span = (end - first - held).wholeNanoseconds
        return span > 0 ? Double(packets - 1) * 1e9 / Double(span) : nil
    }

    /// Whether the caller sat in silence for longer than `limit`: at the start, in between or at the end.
    public func isSilent(longerThan limit: Duration) -> Bool { max(wait, longestGap) > limit }

    /// The longest time without audio that this caller had; the whole call where it heard nothing.
    public var longestSilence: Duration { packets == 0 ? wait : longestGap }
}
