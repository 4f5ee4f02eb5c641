/// What is known of a message without making values of it: numbers, and where the texts stand. Plain data throughout,
/// so that a message costs three allocations however many headers it has.
struct MessagePlaces: Sendable {
    /// 0 for a request.
    var status = 0
    var reason = Piece.none
    var callID = Piece.none
    var cseqNumber: UInt32 = 0
    var maxForwards: Int?
    var viaCount = 0
    var routeCount = 0
    var contactCount = 0
    var recordRouteCount = 0
    var body = 0..<0

    // These only count in a message that is plain as a whole.
    var requestURI = URIPlaces()
    var topVia = ViaPlaces()
    var from = AddressPlaces()
    var to = AddressPlaces()
    var firstContact = AddressPlaces()
    var firstRoute = AddressPlaces()
    var firstRecordRoute = AddressPlaces()
}

/// Values of a message that has something which `PlainSyntax` leaves to libosip2: made when it was parsed.
final class MessageValues: Sendable {
    let requestURI: URI?
    let via: [Via]
    let from: NameAddress
    let to: NameAddress
    let contacts: [NameAddress]
    let routes: [NameAddress]
    let recordRoutes: [NameAddress]

    init(
        requestURI: URI?, via: [Via], from: NameAddress, to: NameAddress, contacts: [NameAddress],
        routes: [NameAddress], recordRoutes: [NameAddress]
    ) {
        self.requestURI = requestURI
        self.via = via
        self.from = from
        self.to = to
        self.contacts = contacts
        self.routes = routes
        self.recordRoutes = recordRoutes
    }
}

/// Reads messages in which every value that routing and dialogs need has the plain form. Nil for all others, whatever
/// is unusual or wrong with them: `ParsedMessage` reads those, and it alone decides what is refused, and why.
struct PlainMessage {
    private(set) var method = Method.invite
    private(set) var places = MessagePlaces()
    private let bytes: UnsafeRawBufferPointer

    init?(_ head: HeadIndex, of bytes: UnsafeRawBufferPointer, transport: Transport) {
        self.bytes = bytes
        guard head.lines.count <= MessageParser.fieldLimit, !head.needsCleaning else { return nil }
        var methodOfRequest: Range<Int>?
        if let (status, reason) = PlainMessage.statusLine(head.startLine, of: bytes) {
            places.status = status
            places.reason = Piece(reason)
        } else if let (method, uri) = PlainMessage.requestLine(head.startLine, of: bytes) {
            methodOfRequest = method
            places.requestURI = uri
        } else {
            return nil
        }
        var seen = HeaderKindSet()
        var methodOfCSeq = 0..<0
        var contentLength: Int?
        for line in head.lines {
            let value = line.value
            switch line.kind {
            case .via:
                guard takeVia(value) else { return nil }
            case .from:
                guard seen.insert(.from), let found = PlainSyntax.addressPlaces(value, of: bytes) else { return nil }
                places.from = found
            case .to:
                guard seen.insert(.to), let found = PlainSyntax.addressPlaces(value, of: bytes) else { return nil }
                places.to = found
            case .callID:
                guard seen.insert(.callID), ValueSyntax.isCallID(value, of: bytes) else { return nil }
                places.callID = Piece(value)
            case .cseq:
                guard seen.insert(.cseq), let found = PlainMessage.cseq(value, of: bytes) else { return nil }
                places.cseqNumber = found.number
                methodOfCSeq = found.method
            case .maxForwards:
                guard seen.insert(.maxForwards), let found = PlainMessage.number(value, of: bytes), found <= 255 else {
                    return nil
                }
                places.maxForwards = found
            case .contentLength:
                guard seen.insert(.contentLength), let found = PlainMessage.number(value, of: bytes) else { return nil }
                contentLength = found
            case .contentType:
                guard seen.insert(.contentType) else { return nil }
            case .contact:
                if value.count == 1, bytes[value.lowerBound] == 42 { continue }
                guard PlainMessage.take(value, &places.contactCount, &places.firstContact, bytes) else { return nil }
            case .route:
                guard PlainMessage.take(value, &places.routeCount, &places.firstRoute, bytes) else { return nil }
            case .recordRoute:
                guard PlainMessage.take(value, &places.recordRouteCount, &places.firstRecordRoute, bytes) else {
                    return nil
                }
            default: break
            }
        }
        guard places.viaCount > 0, seen.contains(.from), seen.contains(.to), seen.contains(.callID),
            !methodOfCSeq.isEmpty
        else { return nil }
        if let methodOfRequest {
            guard bytes[methodOfRequest].elementsEqual(bytes[methodOfCSeq]) else { return nil }
        }
        let present = bytes.count - head.end
        if let contentLength {
            let isStream = transport == .tcp || transport == .tls
            guard isStream ? contentLength == present : contentLength <= present else { return nil }
            places.body = head.end..<head.end + contentLength
        } else {
            guard transport == .udp else { return nil }
            places.body = head.end..<bytes.count
        }
        method = Method(bytes: UnsafeRawBufferPointer(rebasing: bytes[methodOfCSeq]))
    }

    // MARK: Start line

    private static func statusLine(
        _ line: Range<Int>, of bytes: UnsafeRawBufferPointer
    ) -> (status: Int, reason: Range<Int>)? {
        // "SIP/2.0 " as one number.
        guard line.count >= 12, UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) == 0x2030_2E32_2F50_4953,
            let status = number(8..<11, of: bytes), 100...699 ~= status, bytes[11] == 32
        else { return nil }
        return (status, 12..<line.upperBound)
    }

    private static func requestLine(
        _ line: Range<Int>, of bytes: UnsafeRawBufferPointer
    ) -> (method: Range<Int>, uri: URIPlaces)? {
        var index = 0
        while index < line.upperBound, OctetClass.token.contains(bytes[index]) { index += 1 }
        let end = line.upperBound - 8
        // " SIP/2.0" as one number.
        guard index > 0, index < end, bytes[index] == 32,
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self)) == 0x302E_322F_5049_5320,
            let uri = PlainSyntax.uriPlaces(index + 1..<end, of: bytes)
        else { return nil }
        return (0..<index, uri)
    }

    // MARK: Values

    private mutating func takeVia(_ value: Range<Int>) -> Bool {
        var elements = ListElements(of: value, in: bytes)
        while let element = elements.next() {
            guard let found = PlainSyntax.viaPlaces(element, of: bytes) else { return false }
            if places.viaCount == 0 { places.topVia = found }
            places.viaCount += 1
        }
        return elements.areSound && places.viaCount <= MessageParser.fieldLimit
    }

    private static func take(
        _ value: Range<Int>, _ count: inout Int, _ first: inout AddressPlaces, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        var elements = ListElements(of: value, in: bytes)
        while let element = elements.next() {
            guard let found = PlainSyntax.addressPlaces(element, of: bytes) else { return false }
            if count == 0 { first = found }
            count += 1
        }
        return elements.areSound && count <= MessageParser.fieldLimit
    }

    private static func cseq(
        _ value: Range<Int>, of bytes: UnsafeRawBufferPointer
    ) -> (number: UInt32, method: Range<Int>)? {
        let end = HeaderSyntax.numberEnd(in: value, of: bytes)
        guard let number = number(value.lowerBound..<end, of: bytes), number <= Int32.max, end < value.upperBound,
            bytes[end] == 32
        else { return nil }
        let method = end + 1..<value.upperBound
        guard !method.isEmpty, bytes[method].allSatisfy(OctetClass.token.contains) else { return nil }
        return (UInt32(number), method)
    }

    /// At most ten digits.
    private static func number(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Int? {
        guard 1...10 ~= range.count else { return nil }
        var result = 0
        for index in range {
            guard Octets.isDigit(bytes[index]) else { return nil }
            result = result * 10 + Int(bytes[index] &- 48)
        }
        return result
    }
}

/// Which headers that may stand once have been seen.
private struct HeaderKindSet {
    private var bits: UInt64 = 0

    /// False when it was there.
    mutating func insert(_ kind: HeaderKind) -> Bool {
        let bit: UInt64 = 1 << UInt64(kind.rawValue)
        defer { bits |= bit }
        return bits & bit == 0
    }

    func contains(_ kind: HeaderKind) -> Bool { bits & (1 << UInt64(kind.rawValue)) != 0 }
}
