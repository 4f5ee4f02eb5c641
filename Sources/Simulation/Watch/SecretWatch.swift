import Store

/// Looks for the demo PIN in what leaves a center.
enum SecretWatch {
    private static let pin = Array(Phone.pin.utf8)

    /// Where the PIN stands in a request, if it does.
    static func find(in request: StoreRequest) -> String? {
        switch request {
        case .open(let write), .checkpoint(let write): return find(in: write)
        case .bank(let bank): return bank.write.flatMap { find(in: $0) }
        case .end(let record, _):
            let text = ([record.line, record.from] + record.path).joined(separator: " ")
            return contains(Array(text.utf8)) ? "the PIN" : nil
        case .appendTimeline(_, let entries):
            return entries.contains { contains(Array($0.detail.utf8)) } ? "the PIN" : nil
        default: return nil
        }
    }

    private static func find(in write: SessionWrite) -> String? {
        guard let bytes = try? write.checkpoint.encoded() else { return nil }
        return contains(bytes) ? "the PIN" : nil
    }

    /// The digits by themselves; as a part of a longer random number they mean nothing.
    static func contains(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var start = 0
            while let place = buffer.place(of: pin, from: start) {
                let before = place == 0 ? 32 : buffer[place - 1]
                let after = place + pin.count < buffer.count ? buffer[place + pin.count] : 32
                if !isWord(before), !isWord(after) { return true }
                start = place + 1
            }
            return false
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
