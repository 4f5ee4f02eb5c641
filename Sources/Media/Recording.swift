#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Mono audio at any rate, samples from −1 to 1: what a WAV file holds before it becomes a clip.
public struct Recording: Hashable, Sendable {
    public var sampleRate: Int
    public var samples: [Float]

    public init(sampleRate: Int, samples: [Float]) {
        self.sampleRate = sampleRate
        self.samples = samples
    }

    /// As the telephone takes it: 8 kHz, 16 bits.
    public func telephoneSamples() -> [Int16] {
        resampled(to: 8000).samples.map { Int16(max(-32767, min(32767, ($0 * 32767).rounded()))) }
    }

    /// Brings speech to one level: its active parts to `level` dBFS (RMS), no sample above `ceiling` dBFS. Silence and
    /// near-silence stay as they are; nothing is raised by more than 30 dB.
    public func levelled(to level: Float = -20, ceiling: Float = -1) -> Recording {
        let frame = max(sampleRate / 50, 1)
        var powers: [Float] = []
        powers.reserveCapacity(samples.count / frame + 1)
        var peak: Float = 0
        for start in stride(from: 0, to: samples.count, by: frame) {
            let part = samples[start..<min(start + frame, samples.count)]
            var sum: Float = 0
            for sample in part {
                sum += sample * sample
                peak = max(peak, abs(sample))
            }
            powers.append(sum / Float(part.count))
        }
        guard let loudest = powers.max(), loudest > 1e-8 else { return self }
        // Pauses do not count as speech: frames 30 dB under the loudest are left out.
        let active = powers.filter { $0 > loudest / 1000 }
        let power = active.reduce(0, +) / Float(active.count)
        let wanted = powf(10, level / 20) / power.squareRoot()
        let gain = min(wanted, powf(10, ceiling / 20) / peak, powf(10, 30 / 20))
        return Recording(sampleRate: sampleRate, samples: samples.map { $0 * gain })
    }

    /// Cuts silence (below −50 dBFS) off both ends but for `keepMs`, so that clips join like speech.
    public func trimmed(keepMs: Int = 20) -> Recording {
        let threshold: Float = 0.00316
        guard let first = samples.firstIndex(where: { abs($0) > threshold }),
            let last = samples.lastIndex(where: { abs($0) > threshold })
        else { return self }
        let keep = max(keepMs, 0) * sampleRate / 1000
        let range = max(first - keep, 0)..<min(last + 1 + keep, samples.count)
        return Recording(sampleRate: sampleRate, samples: Array(samples[range]))
    }

    /// Band-limited conversion: a windowed sinc, as one filter for each phase that the two rates make.
    public func resampled(to rate: Int) -> Recording {
        guard rate != sampleRate, rate > 0, sampleRate > 0, !samples.isEmpty else { return self }
        let divisor = greatestCommonDivisor(rate, sampleRate)
        let phases = rate / divisor
        let step = sampleRate / divisor
        // Pass a little less than half of the lower rate, so that the filter's slope ends there.
        let cutoff = 0.5 * min(1, Double(rate) / Double(sampleRate)) * 0.94
        let reach = Int((16 / (2 * cutoff)).rounded(.up))
        let taps = 2 * reach
        var filters = [Float](repeating: 0, count: phases * taps)
        for phase in 0..<phases {
            let fraction = Double(phase) / Double(phases)
            var sum: Double = 0
            var row = [Double](repeating: 0, count: taps)
            for tap in 0..<taps {
                let distance = Double(tap - reach + 1) - fraction
                let angle = 2 * Double.pi * cutoff * distance
                let sinc = abs(distance) < 1e-9 ? 1 : sin(angle) / angle
                let window = abs(distance) < Double(reach) ? 0.5 + 0.5 * cos(.pi * distance / Double(reach)) : 0
                row[tap] = sinc * window
                sum += row[tap]
            }
            for tap in 0..<taps { filters[phase * taps + tap] = Float(row[tap] / sum) }
        }
        let count = (samples.count * phases + step - 1) / step
        var result = [Float](repeating: 0, count: count)
        for index in 0..<count {
            let position = index * step
            let base = position / phases - reach + 1
            let filter = (position % phases) * taps
            var sum: Float = 0
            for tap in max(0, -base)..<max(max(0, -base), min(taps, samples.count - base)) {
                sum += samples[base + tap] * filters[filter + tap]
            }
            result[index] = sum
        }
        return Recording(sampleRate: rate, samples: result)
    }
}

private func greatestCommonDivisor(_ left: Int, _ right: Int) -> Int {
    var (left, right) = (left, right)
    while right != 0 { (left, right) = (right, left % right) }
    return left
}
