/// The audio codings that Tandem speaks, both 8 kHz, mono, one byte a sample (RFC 3551 §4.5.14).
public enum Codec: String, Hashable, Sendable, Codable, CaseIterable {
    case pcma = "PCMA"
    case pcmu = "PCMU"

    public static let sampleRate = 8000

    /// The payload type that RFC 3551 table 4 gives it for good.
    public var staticPayloadType: UInt8 { self == .pcma ? 8 : 0 }

    /// By an `a=rtpmap` encoding such as `PCMA/8000` or `pcmu/8000/1`; nil for anything else.
    init?(encoding: String) {
        let parts = encoding.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 || (parts.count == 3 && parts[2] == "1"), parts[1] == "8000",
            let codec = Codec(rawValue: parts[0].uppercased())
        else { return nil }
        self = codec
    }

    init?(staticPayloadType: UInt8) {
        switch staticPayloadType {
        case 0: self = .pcmu
        case 8: self = .pcma
        default: return nil
        }
    }
}
