import Foundation

extension UnsafeRawBufferPointer {
    /// Where the bytes stand for the first time at or after `start`.
    func place(of wanted: [UInt8], from start: Int = 0) -> Int? {
        guard let base = baseAddress, let first = wanted.first else { return nil }
        var start = start
        while start + wanted.count <= count,
            let found = memchr(base + start, Int32(first), count - wanted.count + 1 - start)
        {
            let place = base.distance(to: UnsafeRawPointer(found))
            if memcmp(found, wanted, wanted.count) == 0 { return place }
            start = place + 1
        }
        return nil
    }
}
