import SDP

/// Finds DTMF tones in G.711 audio, for callers whose phone offers no telephone-events. Goertzel filters over blocks of
/// 102 samples (12.75 ms), with the guards of ITU-T Q.24: level, twist, one strong tone a group, little else in the
/// block, 40 ms of tone always suffice, 12 ms never do, and a gap of 40 ms separates two presses of a key.
public struct InBandDigitDetector: Sendable {
    private static let blockLength = 102
    /// (A·N/2)² for a tone of amplitude 300 (−41 dBFS): Q.24 has phones at −29 dBm and above work.
    private static let minimumEnergy: Float = 300 * 51 * 300 * 51
    /// The high tone may be 8 dB below the low one or 4 dB above it, with a decibel's allowance for the filters.
    private static let highBelowLow: Float = 7.9
    private static let highAboveLow: Float = 3.2
    /// 8 dB between a group's tone and the group's other frequencies.
    private static let groupPeak: Float = 6.3
    /// How much of a block's energy both tones must hold. Voices spread theirs; tones 1.5 % off keep 85 %.
    private static let purity: Float = 0.72 * 51

    // 2·cos(2πf/8000) for the rows and columns of the keypad.
    private static let rowFactors = SIMD4<Float>(1.7077379, 1.6452810, 1.5686868, 1.4782046)
    private static let columnFactors = SIMD4<Float>(1.1641040, 0.9963702, 0.7986184, 0.5685327)

    private var row1 = SIMD4<Float>.zero
    private var row2 = SIMD4<Float>.zero
    private var column1 = SIMD4<Float>.zero
    private var column2 = SIMD4<Float>.zero
    private var energy: Float = 0
    private var filled = 0
    /// What the last block held, and what was reported and is still held down.
    private var lastHit: Digit?
    private var held: Digit?
    private var misses = 0

    public init() {}

    /// Listens to a frame; calls `report` at once when a key is sure to be down.
    public mutating func process(
        _ payload: UnsafeRawBufferPointer, codec: Codec, report: (Digit) -> Void
    ) {
        for byte in payload {
            let sample = Float(G711.decode(byte, as: codec))
            let row = row1 * Self.rowFactors - row2 + sample
            row2 = row1
            row1 = row
            let column = column1 * Self.columnFactors - column2 + sample
            column2 = column1
            column1 = column
            energy += sample * sample
            filled += 1
            if filled == Self.blockLength {
                if let digit = decide(blockHit()) { report(digit) }
                row1 = .zero
                row2 = .zero
                column1 = .zero
                column2 = .zero
                energy = 0
                filled = 0
            }
        }
    }

    /// The digit that this block alone would be.
    private func blockHit() -> Digit? {
        let rows = row1 * row1 + row2 * row2 - row1 * row2 * Self.rowFactors
        let columns = column1 * column1 + column2 * column2 - column1 * column2 * Self.columnFactors
        let low = rows.max()
        let high = columns.max()
        guard low >= Self.minimumEnergy, high >= Self.minimumEnergy, high <= low * Self.highAboveLow,
            low <= high * Self.highBelowLow, low + high >= Self.purity * energy
        else { return nil }
        guard let row = soleIndex(of: low, in: rows), let column = soleIndex(of: high, in: columns) else { return nil }
        return Digit(row: row, column: column)
    }

    private func soleIndex(of peak: Float, in group: SIMD4<Float>) -> Int? {
        var found: Int?
        for index in 0..<4 where group[index] * Self.groupPeak > peak {
            guard found == nil else { return nil }
            found = index
        }
        return found
    }

    /// Two blocks that agree make a press; two that differ from it end it.
    private mutating func decide(_ hit: Digit?) -> Digit? {
        defer { lastHit = hit }
        if let current = held {
            misses = hit == current ? 0 : misses + 1
            if misses >= 2 { held = nil }
        }
        guard let hit, hit == lastHit, hit != held else { return nil }
        held = hit
        misses = 0
        return hit
    }
}
