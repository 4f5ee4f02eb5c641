import Primitives

/// Where something stands in a message's bytes; empty where it does not stand there. Messages end at 64 KiB.
struct Piece: Hashable, Sendable {
    private let start: UInt32
    private let end: UInt32

    init(_ range: Range<Int>) {
        start = UInt32(truncatingIfNeeded: range.lowerBound)
        end = UInt32(truncatingIfNeeded: range.upperBound)
    }

    static var none: Piece { Piece(0..<0) }

    var range: Range<Int> { Int(start)..<Int(end) }
    var isEmpty: Bool { start == end }

    func bytes(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    func text(in bytes: UnsafeRawBufferPointer) -> String { String(decoding: self.bytes(in: bytes), as: UTF8.self) }

    func textIfAny(in bytes: UnsafeRawBufferPointer) -> String? { isEmpty ? nil : text(in: bytes) }
}

/// The parts of a plain `sip:user@host:port;name=value` (`PlainSyntax`).
struct URIPlaces: Sendable {
    var user = Piece.none
    var host = Piece.none
    /// 0 for none.
    var port: UInt16 = 0
    /// From the first semicolon on.
    var parameters = Piece.none

    func made(from bytes: UnsafeRawBufferPointer) -> URI {
        URI(
            user: user.textIfAny(in: bytes), host: host.text(in: bytes), port: port == 0 ? nil : port,
            parameters: PlainParameters.all(parameters, in: bytes))
    }
}

/// The parts of a plain `"Name" <uri>;tag=value`.
struct AddressPlaces: Sendable {
    var displayName = Piece.none
    var uri = URIPlaces()
    /// From the first semicolon after the bracket on.
    var parameters = Piece.none
    var tag = Piece.none

    func made(from bytes: UnsafeRawBufferPointer) -> NameAddress {
        NameAddress(
            displayName: displayName.textIfAny(in: bytes), uri: uri.made(from: bytes),
            parameters: PlainParameters.all(parameters, in: bytes))
    }
}

/// The parts of a plain `SIP/2.0/UDP host:port;branch=value`.
struct ViaPlaces: Sendable {
    var isTCP = false
    var host = Piece.none
    /// 0 for none.
    var port: UInt16 = 0
    var branch = Piece.none
    var received = Piece.none
    var rport = Via.ReturnPort.absent
    /// From the first semicolon on.
    var parameters = Piece.none

    func made(from bytes: UnsafeRawBufferPointer) -> Via {
        var others = PlainParameters.all(parameters, in: bytes)
        others.removeAll { ["branch", "received", "rport"].contains($0.name.lowercased()) }
        return Via(
            transport: isTCP ? .tcp : .udp, host: host.text(in: bytes), port: port == 0 ? nil : port,
            branch: branch.textIfAny(in: bytes), received: received.textIfAny(in: bytes), rport: rport,
            parameters: others)
    }
}

/// Walks over `;name=value;flag`, which a plain reader let pass.
struct PlainParameters {
    struct Part {
        var name: Range<Int>
        /// Nil for a flag.
        var value: Range<Int>?

        func made(from bytes: UnsafeRawBufferPointer) -> Parameter {
            Parameter(Piece(name).text(in: bytes), value.map { Piece($0).text(in: bytes) })
        }
    }

    private let bytes: UnsafeRawBufferPointer
    private var index: Int
    private let end: Int

    init(_ piece: Piece, in bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        index = piece.range.lowerBound
        end = piece.range.upperBound
    }

    mutating func next() -> Part? {
        guard index < end, let part = PlainSyntax.parameter(&index, end, bytes) else { return nil }
        return part
    }

    static func all(_ piece: Piece, in bytes: UnsafeRawBufferPointer) -> [Parameter] {
        guard !piece.isEmpty else { return [] }
        var cursor = PlainParameters(piece, in: bytes)
        var result: [Parameter] = []
        while let part = cursor.next() { result.append(part.made(from: bytes)) }
        return result
    }

    /// The value of the first parameter of that name, in lower case; an empty one for a flag; nil without it.
    static func value(
        of name: StaticString, in piece: Piece, of bytes: UnsafeRawBufferPointer
    ) -> Range<Int>? {
        guard !piece.isEmpty else { return nil }
        var cursor = PlainParameters(piece, in: bytes)
        while let part = cursor.next() {
            if HeaderSyntax.equals(bytes, part.name, name) {
                return part.value ?? part.name.upperBound..<part.name.upperBound
            }
        }
        return nil
    }
}
