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
        let first = min(size, Self.capacity - (start + count) % Self.capacity)
        put(UnsafeRawBufferPointer(rebasing: payload[..<first]), at: (start + count) % Self.capacity, source, codec)
        put(UnsafeRawBufferPointer(rebasing: payload[first..<size]), at: 0, source, codec)
        count += size
    }

    private mutating func put(_ part: UnsafeRawBufferPointer, at place: Int, _ source: Codec, _ codec: Codec) {
        bytes.withUnsafeMutableBytes { ring in
            let room = UnsafeMutableRawBufferPointer(rebasing: ring[place..<place + part.count])
            if source == codec { return room.copyMemory(from: part) }
            for index in part.indices { room[index] = G711.encode(G711.decode(part[index], as: source), as: codec) }
        }
    }

    /// Gives a frame back; false and silence when less is there.
    mutating func fill(_ frame: UnsafeMutablePointer<UInt8>, count wanted: Int, codec: Codec) -> Bool {
        guard count >= wanted else {
            frame.update(repeating: G711.silence(codec), count: wanted)
            return false
        }
        let first = min(wanted, Self.capacity - start)
        bytes.withUnsafeBufferPointer { ring in
            guard let base = ring.baseAddress else { return }
            frame.update(from: base + start, count: first)
            (frame + first).update(from: base, count: wanted - first)
        }
        start = (start + wanted) % Self.capacity
        count -= wanted
        return true
    }
}
