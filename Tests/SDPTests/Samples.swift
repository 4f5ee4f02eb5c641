import Primitives
import SDP

/// Lines joined as on the wire.
func sdp(_ lines: String...) -> [UInt8] { Array(lines.map { $0 + "\r\n" }.joined().utf8) }

func description(_ lines: String...) throws -> SessionDescription {
    try SessionDescription(parsing: Array(lines.map { $0 + "\r\n" }.joined().utf8))
}

/// An offer of one audio line with these m-line formats and attributes.
func audioOffer(
    _ formats: String, _ attributes: [String] = [], connection: String = "IN IP4 192.0.2.1", port: Int = 6000
) throws -> SessionDescription {
    let lines = ["v=0", "o=bob 1 1 IN IP4 192.0.2.1", "s=-", "c=\(connection)", "t=0 0"]
    let media = ["m=audio \(port) RTP/AVP \(formats)"] + attributes.map { "a=\($0)" }
    return try SessionDescription(parsing: Array((lines + media).map { $0 + "\r\n" }.joined().utf8))
}

let ourAddress = IPAddress.v4(0x0A00_0001)
let ourMedia = LocalMedia(rtp: Endpoint(ourAddress, port: 10_000))

func freshNegotiation(_ capabilities: MediaCapabilities = MediaCapabilities()) -> OfferAnswer {
    OfferAnswer(origin: Origin(sessionID: 77, address: ourAddress), capabilities: capabilities)
}
