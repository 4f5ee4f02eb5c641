import Primitives

/// What an offer and its answer agreed for the one audio stream of a call.
public struct MediaAgreement: Hashable, Sendable {
    /// Where the other side wants RTP. The address is unspecified where it holds the RFC 2543 way (`c=0.0.0.0`);
    /// `direction` then does not send.
    public var remoteRTP: Endpoint
    /// Where it wants RTCP: RTP's port + 1 unless `a=rtcp` says otherwise (RFC 3605); port 0 for none.
    public var remoteRTCP: Endpoint
    public var codec: Codec
    /// The payload type to send `codec` with.
    public var payloadType: UInt8
    /// The payload type `codec` comes with; differs only where both sides numbered it freely (RFC 3264 §5.1).
    public var receivePayloadType: UInt8
    /// The payload type to send telephone-events with; nil when they are not agreed, and digits come in-band.
    public var telephoneEventPayloadType: UInt8?
    /// The payload type that telephone-events come with.
    public var receiveTelephoneEventPayloadType: UInt8?
    /// The events that the other side receives.
    public var remoteEvents: TelephoneEvents
    /// Milliseconds of audio in a packet that we send: 10, 20 … 60.
    public var ptimeMs: Int
    /// Seen from our side.
    public var direction: MediaDirection
    /// Which m-line of the descriptions it is, from 0.
    public var mediaIndex: Int

    public init(
        remoteRTP: Endpoint, remoteRTCP: Endpoint? = nil, codec: Codec, payloadType: UInt8? = nil,
        receivePayloadType: UInt8? = nil, telephoneEventPayloadType: UInt8? = nil,
        receiveTelephoneEventPayloadType: UInt8? = nil, remoteEvents: TelephoneEvents = .all, ptimeMs: Int = 20,
        direction: MediaDirection = .sendrecv, mediaIndex: Int = 0
    ) {
        self.remoteRTP = remoteRTP
        self.remoteRTCP = remoteRTCP ?? Endpoint(remoteRTP.address, port: remoteRTP.port &+ 1)
        self.codec = codec
        self.payloadType = payloadType ?? codec.staticPayloadType
        self.receivePayloadType = receivePayloadType ?? self.payloadType
        self.telephoneEventPayloadType = telephoneEventPayloadType
        self.receiveTelephoneEventPayloadType = receiveTelephoneEventPayloadType ?? telephoneEventPayloadType
        self.remoteEvents = remoteEvents
        self.ptimeMs = Self.clampedPtime(ptimeMs)
        self.direction = direction
        self.mediaIndex = mediaIndex
    }

    public static let ptimeRangeMs = 10...60

    /// The nearest multiple of 10 ms in `ptimeRangeMs` that is not longer (10 when shorter than 10).
    public static func clampedPtime(_ milliseconds: Int) -> Int {
        min(max(milliseconds, ptimeRangeMs.lowerBound), ptimeRangeMs.upperBound) / 10 * 10
    }
}

extension MediaAgreement: Codable {
    private enum CodingKeys: String, CodingKey {
        case rtp, rtcp, codec, payloadType, receivePayloadType, telephoneEvent, receiveTelephoneEvent, events, ptime
        case direction, index
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func endpoint(_ key: CodingKeys) throws -> Endpoint {
            guard let endpoint = Endpoint(try container.decode(String.self, forKey: key)) else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: container, debugDescription: "no address and port")
            }
            return endpoint
        }
        self.init(
            remoteRTP: try endpoint(.rtp), remoteRTCP: try endpoint(.rtcp),
            codec: try container.decode(Codec.self, forKey: .codec),
            payloadType: try container.decode(UInt8.self, forKey: .payloadType),
            receivePayloadType: try container.decode(UInt8.self, forKey: .receivePayloadType),
            telephoneEventPayloadType: try container.decodeIfPresent(UInt8.self, forKey: .telephoneEvent),
            receiveTelephoneEventPayloadType: try container.decodeIfPresent(
                UInt8.self, forKey: .receiveTelephoneEvent),
            remoteEvents: TelephoneEvents(mask: try container.decode(UInt16.self, forKey: .events)),
            ptimeMs: try container.decode(Int.self, forKey: .ptime),
            direction: try container.decode(MediaDirection.self, forKey: .direction),
            mediaIndex: try container.decode(Int.self, forKey: .index))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(remoteRTP.description, forKey: .rtp)
        try container.encode(remoteRTCP.description, forKey: .rtcp)
        try container.encode(codec, forKey: .codec)
        try container.encode(payloadType, forKey: .payloadType)
        try container.encode(receivePayloadType, forKey: .receivePayloadType)
        try container.encodeIfPresent(telephoneEventPayloadType, forKey: .telephoneEvent)
        try container.encodeIfPresent(receiveTelephoneEventPayloadType, forKey: .receiveTelephoneEvent)
        try container.encode(remoteEvents.mask, forKey: .events)
        try container.encode(ptimeMs, forKey: .ptime)
        try container.encode(direction, forKey: .direction)
        try container.encode(mediaIndex, forKey: .index)
    }
}
