/// Why bytes are no WAV file that we read.
public enum WAVError: Error, Hashable, Sendable, CustomStringConvertible {
    case notWAV
    /// Longer than `WAVFile.maximumBytes`.
    case tooLong
    case noFormat
    case noData
    /// The data chunk says more bytes than there are: half a copy.
    case cutShort(said: Int, found: Int)
    /// A coding other than PCM, float, A-law and µ-law, or an odd width of them.
    case coding(format: Int, bits: Int)
    case channels(Int)
    case sampleRate(Int)

    public var description: String {
        switch self {
        case .notWAV: "no RIFF/WAVE file"
        case .tooLong: "longer than \(WAVFile.maximumBytes >> 20) MiB"
        case .noFormat: "no fmt chunk before the data"
        case .noData: "no audio in it"
        case .cutShort(let said, let found): "cut short: it says \(said) bytes of audio and has \(found)"
        case .coding(let format, let bits):
            "coding \(format) with \(bits) bits; PCM of 8, 16, 24 or 32 bits, float, A-law and µ-law are read"
        case .channels(let count): "\(count) channels; 1 to 8 are read"
        case .sampleRate(let rate): "\(rate) samples a second; 4000 to 96000 are read"
        }
    }
}

/// Reads and writes RIFF/WAVE files.
public enum WAVFile {
    public static let maximumBytes = 64 << 20

    /// Reads PCM (8–32 bits), float and G.711 files of 1 to 8 channels, which are mixed to one. A data chunk that says
    /// more than any file may have (as streaming writers leave it) reaches to the end.
    public static func read(_ bytes: [UInt8]) throws(WAVError) -> Recording {
        guard bytes.count <= maximumBytes else { throw .tooLong }
        guard bytes.count >= 12, tag(bytes, 0) == "RIFF", tag(bytes, 8) == "WAVE" else { throw .notWAV }
        var format: Format?
        var offset = 12
        while offset + 8 <= bytes.count {
            let size = Int(little32(bytes, offset + 4))
            let body = offset + 8
            let end = min(body + size, bytes.count)
            switch tag(bytes, offset) {
            case "fmt ": format = try Format(bytes, body..<end)
            case "data":
                guard let format else { throw .noFormat }
                guard body + size <= bytes.count || size > maximumBytes else {
                    throw .cutShort(said: size, found: bytes.count - body)
                }
                return try format.recording(bytes[body..<end])
            default: break
            }
            offset = body + size + size % 2
        }
        throw format == nil ? .noFormat : .noData
    }

    /// A 16-bit mono file.
    public static func write(_ samples: [Int16], sampleRate: Int = 8000) -> [UInt8] {
        var bytes: [UInt8] = []
        let size = samples.count * 2
        bytes.reserveCapacity(44 + size)
        func put32(_ value: Int) {
            for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
        }
        func put16(_ value: Int) { for shift in [0, 8] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) } }
        bytes += Array("RIFF".utf8)
        put32(36 + size)
        bytes += Array("WAVEfmt ".utf8)
        put32(16)
        put16(1)
        put16(1)
        put32(sampleRate)
        put32(sampleRate * 2)
        put16(2)
        put16(16)
        bytes += Array("data".utf8)
        put32(size)
        for sample in samples { put16(Int(sample)) }
        return bytes
    }

    private static func tag(_ bytes: [UInt8], _ offset: Int) -> String {
        String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
    }

    fileprivate static func little32(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }

    fileprivate static func little16(_ bytes: [UInt8], _ offset: Int) -> Int {
        Int(bytes[offset]) | Int(bytes[offset + 1]) << 8
    }
}

private struct Format {
    enum Coding { case unsigned8, signed16, signed24, signed32, float32, alaw, mulaw }
    var coding: Coding
    var channels: Int
    var sampleRate: Int

    var width: Int {
        switch coding {
        case .unsigned8, .alaw, .mulaw: 1
        case .signed16: 2
        case .signed24: 3
        case .signed32, .float32: 4
        }
    }

    init(_ bytes: [UInt8], _ range: Range<Int>) throws(WAVError) {
        guard range.count >= 16 else { throw .noFormat }
        let start = range.lowerBound
        var format = WAVFile.little16(bytes, start)
        let bits = WAVFile.little16(bytes, start + 14)
        // The extensible format names its coding in the first two bytes of a GUID.
        if format == 0xFFFE, range.count >= 40 { format = WAVFile.little16(bytes, start + 24) }
        switch (format, bits) {
        case (1, 8): coding = .unsigned8
        case (1, 16): coding = .signed16
        case (1, 24): coding = .signed24
        case (1, 32): coding = .signed32
        case (3, 32): coding = .float32
        case (6, 8): coding = .alaw
        case (7, 8): coding = .mulaw
        default: throw .coding(format: format, bits: bits)
        }
        channels = WAVFile.little16(bytes, start + 2)
        sampleRate = Int(WAVFile.little32(bytes, start + 4))
        guard (1...8).contains(channels) else { throw .channels(channels) }
        guard (4000...96_000).contains(sampleRate) else { throw .sampleRate(sampleRate) }
    }

    func recording(_ data: ArraySlice<UInt8>) throws(WAVError) -> Recording {
        let frame = width * channels
        let count = data.count / frame
        guard count > 0 else { throw .noData }
        let samples = data.withUnsafeBytes { bytes in
            (0..<count).map { index in
                var sum: Float = 0
                for channel in 0..<channels { sum += sample(bytes, at: index * frame + channel * width) }
                return sum / Float(channels)
            }
        }
        return Recording(sampleRate: sampleRate, samples: samples)
    }

    private func sample(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Float {
        func byte(_ index: Int) -> UInt32 { UInt32(bytes[offset + index]) }
        switch coding {
        case .unsigned8: return (Float(bytes[offset]) - 128) / 128
        case .signed16: return Float(Int16(truncatingIfNeeded: byte(0) | byte(1) << 8)) / 32768
        case .signed24: return Float(Int32(bitPattern: byte(0) << 8 | byte(1) << 16 | byte(2) << 24)) / 2_147_483_648
        case .signed32: return Float(Int32(bitPattern: word(bytes, offset))) / 2_147_483_648
        case .float32:
            let value = Float(bitPattern: word(bytes, offset))
            return value.isFinite ? max(-1, min(1, value)) : 0
        case .alaw: return Float(G711.linear(alaw: bytes[offset])) / 32768
        case .mulaw: return Float(G711.linear(mulaw: bytes[offset])) / 32768
        }
    }

    private func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
