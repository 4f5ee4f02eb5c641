import Primitives

/// What the receiver of a stream knows about it: loss, order and jitter (RFC 3550 §6.4.1, §A.1, §A.3, §A.8).
public struct ReceptionStatistics: Hashable, Sendable {
    public private(set) var received: UInt32 = 0
    public private(set) var duplicatesOrLate: UInt32 = 0
    private var baseSequence: UInt32 = 0
    private var highest: UInt32 = 0
    private var expectedBefore: UInt32 = 0
    private var receivedBefore: UInt32 = 0
    private var transit: Int32?
    /// Sixteenths of a timestamp unit, as §A.8 keeps it.
    private var scaledJitter: UInt32 = 0

    public init() {}

    /// In timestamp units of 125 µs.
    public var jitter: UInt32 { scaledJitter >> 4 }
    /// The highest sequence number with its cycles above the lower 16 bits.
    public var extendedHighest: UInt32 { highest }
    public var expected: UInt32 { received == 0 ? 0 : highest &- baseSequence &+ 1 }
    /// Negative where duplicates outnumber losses.
    public var lost: Int32 { Int32(truncatingIfNeeded: Int64(expected) - Int64(received)) }

    /// - Parameter timing: false for packets whose timestamp is no sampling instant, such as telephone-events.
    public mutating func update(sequence: UInt16, timestamp: UInt32, now: MonotonicTime, timing: Bool = true) {
        if received == 0 {
            baseSequence = UInt32(sequence)
            highest = baseSequence
        } else {
            let step = Int16(bitPattern: sequence &- UInt16(truncatingIfNeeded: highest))
            // A jump of more than a few seconds is a sender that started anew (§A.1).
            if step > 3000 || step < -3000 {
                restart(at: sequence)
            } else if step > 0 {
                highest &+= UInt32(step)
            } else {
                duplicatesOrLate &+= 1
            }
        }
        received &+= 1
        guard timing else { return }
        let arrival = UInt32(truncatingIfNeeded: now.nanoseconds / 125_000)
        let current = Int32(bitPattern: arrival &- timestamp)
        if let transit {
            let difference = min((current &- transit).magnitude, 80_000)
            scaledJitter = scaledJitter &+ difference &- ((scaledJitter &+ 8) >> 4)
        }
        transit = current
    }

    private mutating func restart(at sequence: UInt16) {
        let late = duplicatesOrLate
        self = ReceptionStatistics()
        duplicatesOrLate = late
        baseSequence = UInt32(sequence)
        highest = baseSequence
    }

    /// The share lost since the last call in 256ths (§A.3).
    public mutating func takeFractionLost() -> UInt8 {
        let expectedNow = expected &- expectedBefore
        let receivedNow = received &- receivedBefore
        expectedBefore = expected
        receivedBefore = received
        guard expectedNow > 0, expectedNow > receivedNow, expectedNow < 1 << 24 else { return 0 }
        return UInt8(min((expectedNow - receivedNow) << 8 / expectedNow, 255))
    }
}
