#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where a message is written to. Everything that writes does so twice: into a `ByteCounter`, then into a `ByteFiller`
/// of exactly that size, so that a message costs one allocation.
protocol ByteSink {
    /// Bytes that are known to be well-formed: parts of a parsed message, or written by our own code.
    mutating func put(_ bytes: UnsafeRawBufferPointer)
    /// Text from anywhere: CR, LF and NUL are written as spaces, so no value can end its line or the message.
    mutating func put(text: String)
    mutating func put(byte: UInt8)
}

extension ByteSink {
    mutating func put(_ literal: StaticString) {
        put(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    mutating func put(decimal value: Int) {
        if value >= 10 { put(decimal: value / 10) }
        put(byte: UInt8(truncatingIfNeeded: 48 + value % 10))
    }

    mutating func putLineEnd() { put("\r\n") }
}

struct ByteCounter: ByteSink {
    private(set) var count = 0

    mutating func put(_ bytes: UnsafeRawBufferPointer) { count += bytes.count }
    mutating func put(text: String) { count += text.utf8.count }
    mutating func put(byte: UInt8) { count += 1 }
}

struct ByteFiller: ByteSink {
    private let buffer: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(into buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        memcpy(reserve(bytes.count), source, bytes.count)
    }

    mutating func put(text: String) {
        var text = text
        text.withUTF8 { bytes in
            guard let source = bytes.baseAddress, bytes.count > 0 else { return }
            let target = reserve(bytes.count)
            memcpy(target, source, bytes.count)
            let written = UnsafeMutableRawBufferPointer(start: target, count: bytes.count)
            for index in 0..<bytes.count where written[index] <= 13 {
                if written[index] == 13 || written[index] == 10 || written[index] == 0 { written[index] = 32 }
            }
        }
    }

    mutating func put(byte: UInt8) { reserve(1).storeBytes(of: byte, as: UInt8.self) }

    private mutating func reserve(_ length: Int) -> UnsafeMutableRawPointer {
        guard let base = buffer.baseAddress, length <= buffer.count - count else {
            preconditionFailure("writing twice gave two lengths: \(buffer.count) counted, \(count) + \(length) filled")
        }
        defer { count += length }
        return base + count
    }
}

/// A value that can be written as the text of the wire.
protocol WireWritable {
    func write(to sink: inout some ByteSink)
}

extension WireWritable {
    func wireBytes() -> [UInt8] {
        var counter = ByteCounter()
        write(to: &counter)
        var bytes = [UInt8](repeating: 0, count: counter.count)
        let filled = bytes.withUnsafeMutableBytes { buffer in
            var filler = ByteFiller(into: buffer)
            write(to: &filler)
            return filler.count
        }
        precondition(filled == counter.count, "writing twice gave two lengths: \(counter.count), then \(filled)")
        return bytes
    }

    var wireText: String { String(decoding: wireBytes(), as: UTF8.self) }
}
