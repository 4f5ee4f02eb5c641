import Primitives

/// What one `m=audio` line of the other side says, in the terms of RFC 3264; refused where it is no audio that we speak.
struct AudioProposal {
    var remoteRTP: Endpoint
    var remoteRTCP: Endpoint
    /// Codecs that we speak in the other side's order, each with its payload type there.
    var codecs: [(codec: Codec, payloadType: UInt8)]
    var telephoneEvent: (payloadType: UInt8, events: TelephoneEvents)?
    var ptimeMs: Int
    /// Seen from the other side; without `receives` where it holds by an unspecified address.
    var direction: MediaDirection

    init(
        _ section: MediaSection, in session: SessionDescription, familyIsV6: Bool?, ours: [Codec]
    ) throws(NegotiationRefusal) {
        guard section.media.lowercased() == "audio" else { throw .noAudio }
        guard section.port != 0 else { throw .noAudio }
        guard section.transport.uppercased() == "RTP/AVP" else { throw .transport }
        guard let address = (section.connection ?? session.connection)?.address else { throw .address }
        // `c=0.0.0.0` holds whatever the family.
        guard address.isUnspecified || familyIsV6 == nil || address.isV6 == familyIsV6 else { throw .address }
        remoteRTP = Endpoint(address, port: section.port)
        remoteRTCP = Self.rtcpEndpoint(section, rtp: remoteRTP)

        codecs = []
        for format in section.formats {
            guard let payloadType = UInt8(format), payloadType < 128 else { continue }
            let encoding = section.value(of: "rtpmap", format: format)
            if let encoding, encoding.lowercased().hasPrefix("telephone-event/") {
                // The event clock must be the audio's (RFC 4733 §2.1); a line with wide-band audio may carry several.
                guard encoding.lowercased() == "telephone-event/8000", telephoneEvent == nil else { continue }
                let events = section.value(of: "fmtp", format: format).map(TelephoneEvents.init(list:))
                telephoneEvent = (payloadType, events ?? .all)
                continue
            }
            let codec = encoding.map { Codec(encoding: $0) } ?? Codec(staticPayloadType: payloadType)
            if let codec, ours.contains(codec), !codecs.contains(where: { $0.codec == codec }) {
                codecs.append((codec, payloadType))
            }
        }
        guard !codecs.isEmpty else { throw .codec }

        var ptime = Self.milliseconds(section.value(of: "ptime")) ?? 20
        if let longest = Self.milliseconds(section.value(of: "maxptime")) { ptime = min(ptime, longest) }
        ptimeMs = MediaAgreement.clampedPtime(ptime)

        direction = section.attributes.direction ?? session.attributes.direction ?? .sendrecv
        // RFC 3264 §8.4: an unspecified address means that neither RTP nor RTCP should be sent there.
        if address.isUnspecified { direction = direction.narrowed(to: .sendonly) }
    }

    /// Phones write `20`, some `20.0`.
    private static func milliseconds(_ text: String?) -> Int? {
        guard let whole = text?.split(separator: ".").first else { return nil }
        guard let value = Int(whole.filter { $0 != " " }), value > 0 else { return nil }
        return value
    }

    /// RFC 3605: `a=rtcp:53020` or `a=rtcp:53020 IN IP4 126.16.64.4`; unreadable ones count as absent.
    private static func rtcpEndpoint(_ section: MediaSection, rtp: Endpoint) -> Endpoint {
        let usual = Endpoint(rtp.address, port: rtp.port &+ 1)
        guard let fields = section.value(of: "rtcp")?.split(separator: " "), let first = fields.first,
            let port = UInt16(first)
        else { return usual }
        guard fields.count >= 4 else { return Endpoint(rtp.address, port: port) }
        let data = ConnectionData(
            networkType: String(fields[1]), addressType: String(fields[2]), host: String(fields[3]))
        guard let address = data.address, address.isV6 == rtp.address.isV6 else { return usual }
        return Endpoint(address, port: port)
    }
}
