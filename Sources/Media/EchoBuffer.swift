import SDP

/// The caller's audio on its way back. Holds at most 40 ms once a frame was taken in, so what it returns is never
/// older; what is too much goes from the old end.
struct EchoBuffer: Sendable {
    private static let capacity = 1024
    private static let boundSamples = 320

    private var bytes = [UInt8](repeating: 0, count: EchoBuffer.capacity)
    private var start = 0
    private(set) var count = 0

    /// Takes a received frame in, turned to the coding that is sent.
    mutating func take(_ payload: UnsafeRawBufferPointer, from source: Codec, to codec: Codec, frame: Int) {
        let size = min(payload.count, Self.capacity)
        // A frame longer than the bound must still pass whole.
        let bound = max(Self.boundSamples, size, frame)
        let surplus = max(0, min(count, count + size - bound))
        start = (start + surplus) % Self.capacity
        count -= surplus
        var place = (start + count) % Self.capacity
        for byte in payload.prefix(size) {
            bytes[place] = source == codec ? byte : G711.encode(G711.decode(byte, as: source), as: codec)
            place = (place + 1) % Self.capacity
        }
        count += size
    }

    /// Gives a frame back; false and silence when less is there.
    mutating func fill(_ frame: UnsafeMutablePointer<UInt8>, count wanted: Int, codec: Codec) -> Bool {
        guard count >= wanted else {
            frame.update(repeating: G711.silence(codec), count: wanted)
            return false
        }
        for index in 0..<wanted { frame[index] = bytes[(start + index) % Self.capacity] }
        start = (start + wanted) % Self.capacity
        count -= wanted
        return true
    }
}
