import Primitives

/// What a server adds to the topmost Via of a request it received: `received` when the sent-by host is not the address
/// it came from (RFC 3261 §18.2.1), and where the client asked for it `rport`, then with `received` always
/// (RFC 3581 §4). Values that the client itself claimed for them are replaced.
struct ViaStamp {
    private let bytes: UnsafeRawBufferPointer
    private let source: Endpoint
    let value: Range<Int>
    /// The parameters `received` and `rport` with their semicolons, in the order they stand.
    private var first: Range<Int>?
    private var second: Range<Int>?
    private var rportWanted = false
    private var receivedWanted: Bool

    /// - Parameters:
    ///   - line: the value of the first Via line; its first list element is the topmost Via.
    ///   - sentBy: the topmost Via's host, where that is an address.
    ///   - isBare: it is known to have neither parameter.
    init(value line: Range<Int>, in bytes: UnsafeRawBufferPointer, sentBy: IPAddress?, isBare: Bool, source: Endpoint) {
        self.bytes = bytes
        self.source = source
        value = HeaderSyntax.firstElement(of: line, in: bytes)
        receivedWanted = sentBy != source.address
        if isBare { return }
        var cursor = HeaderSyntax.parameters(of: value, in: bytes)
        while let parameter = cursor.next() {
            let isRport = HeaderSyntax.equals(bytes, parameter.name, "rport")
            guard isRport || HeaderSyntax.equals(bytes, parameter.name, "received") else { continue }
            if isRport { rportWanted = true }
            if first == nil { first = parameter.whole } else if second == nil { second = parameter.whole }
        }
        if rportWanted { receivedWanted = true }
    }

    func writeValue(to sink: inout some ByteSink) {
        var from = value.lowerBound
        if let first {
            sink.put(UnsafeRawBufferPointer(rebasing: bytes[from..<first.lowerBound]))
            from = first.upperBound
        }
        if let second {
            sink.put(UnsafeRawBufferPointer(rebasing: bytes[from..<second.lowerBound]))
            from = second.upperBound
        }
        sink.put(UnsafeRawBufferPointer(rebasing: bytes[from..<value.upperBound]))
        if receivedWanted {
            sink.put(";received=")
            sink.put(address: source.address)
        }
        if rportWanted {
            sink.put(";rport=")
            sink.put(decimal: Int(source.port))
        }
    }

    func writeLine(_ field: HeaderLine, to sink: inout some ByteSink) {
        sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line.lowerBound..<value.lowerBound]))
        writeValue(to: &sink)
        sink.put(UnsafeRawBufferPointer(rebasing: bytes[value.upperBound..<field.line.upperBound]))
    }
}

extension ByteSink {
    /// Without brackets, as in `received`.
    mutating func put(address: IPAddress) {
        guard case .v4(let bits) = address else { return put(text: address.description) }
        put(decimal: Int(bits >> 24))
        put(byte: 46)
        put(decimal: Int(bits >> 16 & 255))
        put(byte: 46)
        put(decimal: Int(bits >> 8 & 255))
        put(byte: 46)
        put(decimal: Int(bits & 255))
    }
}
