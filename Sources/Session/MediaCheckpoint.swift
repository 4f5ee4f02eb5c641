import Primitives

/// What another center needs to go on with the audio of one dialog. Where the RTP stream stood is not in it: the next
/// owner is a new synchronisation source with a start of its own (docs/decisions/0005-no-rtp-base.md).
public struct MediaCheckpoint: Hashable, Sendable, Codable {
    /// As in SDP, seen from us: `sendonly` while the caller has us on hold without music from them.
    public enum Direction: String, Sendable, Codable { case sendrecv, sendonly, recvonly, inactive }

    public var leg: DialogCheckpoint.Leg
    /// Encoding name, `PCMA` or `PCMU`.
    public var codec: String
    public var payloadType: UInt8
    /// Nil when the other end offered no telephone-event: digits are tones then.
    public var telephoneEventType: UInt8?
    /// Milliseconds of audio in a packet that we send.
    public var packetTime: Int
    public var direction: Direction
    /// `address:port` of the other end's description.
    public var signalledAddress: String
    /// Where its packets really came from, once they did.
    public var latchedAddress: String?
    /// The `o=` line of our description: the same over a takeover, but for the version, which grows by one.
    public var origin: String
    public var originVersion: UInt64

    public init(
        leg: DialogCheckpoint.Leg, codec: String, payloadType: UInt8, telephoneEventType: UInt8?, packetTime: Int,
        direction: Direction, signalledAddress: String, latchedAddress: String?, origin: String, originVersion: UInt64
    ) {
        self.leg = leg
        self.codec = codec
        self.payloadType = payloadType
        self.telephoneEventType = telephoneEventType
        self.packetTime = packetTime
        self.direction = direction
        self.signalledAddress = signalledAddress
        self.latchedAddress = latchedAddress
        self.origin = origin
        self.originVersion = originVersion
    }

    private enum CodingKeys: String, CodingKey {
        case leg, codec, payloadType, telephoneEventType
        case packetTime = "packetTime_ms"
        case direction, signalledAddress, latchedAddress, origin, originVersion
    }
}
