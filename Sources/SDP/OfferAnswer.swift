import Primitives

/// What we offer and accept.
public struct MediaCapabilities: Hashable, Sendable, Codable {
    /// In the order of our own offers; answers follow the caller's order.
    public var codecs: [Codec]
    /// The payload type of telephone-events in our offers (96–127); nil speaks none.
    public var telephoneEventPayloadType: UInt8?
    public var ptimeMs: Int

    public init(codecs: [Codec] = [.pcma, .pcmu], telephoneEventPayloadType: UInt8? = 101, ptimeMs: Int = 20) {
        self.codecs = codecs
        self.telephoneEventPayloadType = telephoneEventPayloadType
        self.ptimeMs = MediaAgreement.clampedPtime(ptimeMs)
    }
}

/// Our side of the audio stream: where we receive, and what we want it to do.
public struct LocalMedia: Hashable, Sendable {
    /// RTP's address and (even) port; RTCP is the next port.
    public var rtp: Endpoint
    /// `sendrecv` unless we hold.
    public var direction: MediaDirection

    public init(rtp: Endpoint, direction: MediaDirection = .sendrecv) {
        self.rtp = rtp
        self.direction = direction
    }
}

/// Why offer and answer did not come to an agreement.
public enum NegotiationRefusal: Error, Hashable, Sendable {
    /// No m-line is live audio.
    case noAudio
    /// Audio, but over a transport that we do not speak (such as RTP/SAVP).
    case transport
    /// No unicast address for it, or one of another family than our own.
    case address
    /// Audio, but no codec of ours.
    case codec
    /// An offer of ours waits for its answer (RFC 3264 §4).
    case offerPending
    /// An answer without an offer, or with another number of m-lines than the offer (RFC 3264 §6).
    case unexpectedAnswer

    /// For the text of a Warning header.
    public var words: String {
        switch self {
        case .noAudio: "Media type not available: only audio is spoken here"
        case .transport: "Transport protocol not available: only RTP/AVP is spoken here"
        case .address: "Incompatible network address formats"
        case .codec: "Incompatible media format: PCMA and PCMU are spoken here"
        case .offerPending: "An offer is pending"
        case .unexpectedAnswer: "The answer does not fit the offer"
        }
    }

    /// The response to an offer that is refused so.
    public var status: Int { self == .offerPending ? 491 : 488 }

    /// The warn-code for a Warning header (RFC 3261 §20.43).
    public var warningCode: Int {
        switch self {
        case .noAudio: 304
        case .transport: 302
        case .address: 301
        case .codec: 305
        case .offerPending, .unexpectedAnswer: 399
        }
    }
}

/// Offer and answer (RFC 3264) over the life of one dialog, for one audio stream. A value: it goes into a checkpoint
/// as it is, and whoever goes on with the call goes on with the same `o=` line.
public struct OfferAnswer: Hashable, Sendable, Codable {
    public struct Answer: Hashable, Sendable {
        public var description: SessionDescription
        public var agreement: MediaAgreement
    }

    /// What we sent last as part of a completed exchange.
    public private(set) var local: SessionDescription?
    /// An offer of ours that waits for its answer.
    public private(set) var pendingOffer: SessionDescription?
    /// What is in force; stays so while an offer is open or after it was refused (RFC 3264 §8).
    public private(set) var agreement: MediaAgreement?
    public let capabilities: MediaCapabilities
    /// The `o=` line that went out last.
    public private(set) var origin: Origin
    /// No description of ours went out yet.
    private var isFresh = true

    /// - Parameter origin: with the version that the first description shall have.
    public init(origin: Origin, capabilities: MediaCapabilities = MediaCapabilities()) {
        self.origin = origin
        self.capabilities = capabilities
    }

    /// Goes on with a session of another node, whoever made the offer there: from the descriptions that both sides hold.
    ///
    /// - Parameters:
    ///   - remote: nil while the other side's first description has not come.
    ///   - version: of the `o=` line that went out last, which an offer that was refused may have raised.
    public init(
        resuming local: SessionDescription, remote: SessionDescription?, version: UInt64,
        capabilities: MediaCapabilities = MediaCapabilities()
    ) throws(NegotiationRefusal) {
        self.init(origin: local.origin, capabilities: capabilities)
        origin.version = max(version, local.origin.version)
        isFresh = false
        pendingOffer = local
        // An agreement is the same whichever of the two came first, as far as it says what to send and what comes.
        if let remote { _ = try accept(remote) }
    }

    /// Leaves room for versions of the `o=` line that a predecessor used after its last checkpoint (RFC 3264 §8: a
    /// version that was sent before means the description that it stood for).
    public mutating func skipVersions(by count: UInt64) { origin.version &+= count }

    /// Opens the description in force as an offer again: it left in a 2xx whose ACK brings the answer.
    public mutating func reopenOffer() { pendingOffer = pendingOffer ?? local }

    /// An offer that only moves our side: the description that went out last, direction included, with another address
    /// and the version raised. A caller on hold stays so.
    public mutating func makeMove(to rtp: Endpoint) throws(NegotiationRefusal) -> SessionDescription {
        guard pendingOffer == nil else { throw .offerPending }
        guard let local, let index = agreement?.mediaIndex, local.media.indices.contains(index) else {
            return try makeOffer(with: LocalMedia(rtp: rtp), raisingVersion: true)
        }
        var description = local
        description.connection = ConnectionData(rtp.address)
        description.media[index].port = rtp.port
        description.media[index].connection = nil
        description.media[index].attributes.removeAll { $0.name == "rtcp" }
        description = stamped(description, always: true)
        pendingOffer = description
        return description
    }

    /// Answers an offer, of an INVITE or of a re-INVITE. A refusal leaves everything as it was.
    public mutating func answer(
        _ offer: SessionDescription, with media: LocalMedia
    ) throws(NegotiationRefusal) -> Answer {
        guard pendingOffer == nil else { throw .offerPending }
        let (index, proposal) = try firstUsable(in: offer, family: media.rtp.address.isV6)
        // RFC 3264 §6.1: the first of the offerer's codecs that we speak; one only, so that it cannot change later.
        let chosen = proposal.codecs[0]
        let events = capabilities.telephoneEventPayloadType == nil ? nil : proposal.telephoneEvent
        let direction = proposal.direction.mirrored.narrowed(to: media.direction)

        var sections = offer.media.map { section in
            // RFC 3264 §6: as many m-lines as offered, in the same order, refused ones with port 0.
            MediaSection(media: section.media, port: 0, transport: section.transport, formats: section.formats)
        }
        sections[index] = audioSection(
            port: media.rtp.port, codecs: [chosen], telephoneEvent: events?.payloadType, ptimeMs: proposal.ptimeMs,
            direction: direction)
        let description = stamped(
            SessionDescription(
                origin: origin, connection: ConnectionData(media.rtp.address), timings: offer.timings, media: sections))
        let agreement = MediaAgreement(
            remoteRTP: proposal.remoteRTP, remoteRTCP: proposal.remoteRTCP, codec: chosen.codec,
            payloadType: chosen.payloadType, telephoneEventPayloadType: events?.payloadType,
            remoteEvents: events?.events ?? .all, ptimeMs: proposal.ptimeMs, direction: direction, mediaIndex: index)
        local = description
        self.agreement = agreement
        return Answer(description: description, agreement: agreement)
    }

    /// Makes an offer: for an INVITE of our own, an INVITE without one (the answer then comes in the ACK), a hold, or a
    /// call that goes on elsewhere. Within a session only addresses, ports and direction change (RFC 3264 §8).
    /// - Parameter raisingVersion: raise the version even where nothing changed, as the new owner of a call does.
    public mutating func makeOffer(
        with media: LocalMedia, raisingVersion: Bool = false
    ) throws(NegotiationRefusal) -> SessionDescription {
        guard pendingOffer == nil else { throw .offerPending }
        var description: SessionDescription
        if let local, let index = agreement?.mediaIndex, local.media.indices.contains(index) {
            description = local
            description.connection = ConnectionData(media.rtp.address)
            description.media[index].port = media.rtp.port
            description.media[index].connection = nil
            description.media[index].attributes.removeAll {
                $0.name == "rtcp" || ($0.value == nil && MediaDirection(rawValue: $0.name) != nil)
            }
            description.media[index].attributes.append(Attribute(media.direction.rawValue))
        } else {
            let section = audioSection(
                port: media.rtp.port, codecs: capabilities.codecs.map { ($0, $0.staticPayloadType) },
                telephoneEvent: capabilities.telephoneEventPayloadType, ptimeMs: capabilities.ptimeMs,
                direction: media.direction)
            description = SessionDescription(
                origin: origin, connection: ConnectionData(media.rtp.address), media: [section])
        }
        description = stamped(description, always: raisingVersion)
        pendingOffer = description
        return description
    }

    /// Takes the answer to the open offer. A refusal closes the offer and leaves the session as it was before it.
    public mutating func accept(_ answer: SessionDescription) throws(NegotiationRefusal) -> MediaAgreement {
        guard let offer = pendingOffer else { throw .unexpectedAnswer }
        pendingOffer = nil
        guard answer.media.count == offer.media.count,
            let index = offer.media.firstIndex(where: { $0.port != 0 })
        else { throw .unexpectedAnswer }
        let proposal = try AudioProposal(
            answer.media[index], in: answer, familyIsV6: offer.connection?.address?.isV6,
            ours: codecs(of: offer, index))
        let chosen = proposal.codecs[0]
        let ours = offer.media[index]
        let offered = MediaDirection(offer: ours)
        let receiveEvents = telephoneEvent(of: ours)
        let events = receiveEvents == nil ? nil : proposal.telephoneEvent
        let agreement = MediaAgreement(
            remoteRTP: proposal.remoteRTP, remoteRTCP: proposal.remoteRTCP, codec: chosen.codec,
            payloadType: chosen.payloadType, receivePayloadType: payloadType(of: chosen.codec, in: ours),
            telephoneEventPayloadType: events?.payloadType,
            receiveTelephoneEventPayloadType: events == nil ? nil : receiveEvents,
            remoteEvents: events?.events ?? .all, ptimeMs: proposal.ptimeMs,
            direction: proposal.direction.mirrored.narrowed(to: offered), mediaIndex: index)
        local = offer
        self.agreement = agreement
        return agreement
    }

    /// The offer was refused (488, 491 …) or its request failed: what was agreed before stays (RFC 3264 §8).
    public mutating func abandonOffer() { pendingOffer = nil }
}

extension OfferAnswer {
    private func firstUsable(
        in offer: SessionDescription, family isV6: Bool
    ) throws(NegotiationRefusal) -> (Int, AudioProposal) {
        var refusal = NegotiationRefusal.noAudio
        for (index, section) in offer.media.enumerated() {
            do throws(NegotiationRefusal) {
                return (index, try AudioProposal(section, in: offer, familyIsV6: isV6, ours: capabilities.codecs))
            } catch {
                if refusal == .noAudio { refusal = error }
            }
        }
        throw refusal
    }

    private func audioSection(
        port: UInt16, codecs: [(codec: Codec, payloadType: UInt8)], telephoneEvent: UInt8?, ptimeMs: Int,
        direction: MediaDirection
    ) -> MediaSection {
        var formats = codecs.map { String($0.payloadType) }
        var attributes = codecs.map { Attribute("rtpmap", "\($0.payloadType) \($0.codec.rawValue)/8000") }
        if let telephoneEvent {
            formats.append(String(telephoneEvent))
            attributes.append(Attribute("rtpmap", "\(telephoneEvent) telephone-event/8000"))
            attributes.append(Attribute("fmtp", "\(telephoneEvent) 0-15"))
        }
        attributes.append(Attribute("ptime", String(ptimeMs)))
        attributes.append(Attribute(direction.rawValue))
        return MediaSection(media: "audio", port: port, formats: formats, attributes: attributes)
    }

    /// RFC 3264 §8: the same description keeps its version, a changed one has it raised by one from the last sent.
    private mutating func stamped(_ description: SessionDescription, always: Bool = false) -> SessionDescription {
        var description = description
        description.origin = origin
        let lastSent = local.map { previous in
            var previous = previous
            previous.origin = origin
            return previous
        }
        if !isFresh, always || lastSent != description || local?.origin != origin {
            origin.version &+= 1
            description.origin = origin
        }
        isFresh = false
        return description
    }

    private func codecs(of offer: SessionDescription, _ index: Int) -> [Codec] {
        capabilities.codecs.filter { payloadType(of: $0, in: offer.media[index]) != nil }
    }

    private func payloadType(of codec: Codec, in section: MediaSection) -> UInt8? {
        for format in section.formats {
            if let encoding = section.value(of: "rtpmap", format: format), Codec(encoding: encoding) == codec {
                return UInt8(format)
            }
        }
        return nil
    }

    private func telephoneEvent(of section: MediaSection) -> UInt8? {
        let format = section.formats.first {
            section.value(of: "rtpmap", format: $0)?.hasPrefix("telephone-event/") ?? false
        }
        return format.flatMap { UInt8($0) }
    }
}

extension MediaDirection {
    /// What a section of our own offers.
    fileprivate init(offer section: MediaSection) { self = section.attributes.direction ?? .sendrecv }
}
