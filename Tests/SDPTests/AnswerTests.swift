import Primitives
import SDP
import Testing

@Suite struct AnswerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var formats: String
        var attributes: [String] = []
        var codec: Codec = .pcma
        var payloadType: UInt8 = 8
        var events: UInt8?
        var ptime = 20
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "A-law first", formats: "8 0"),
        Case(name: "µ-law first", formats: "0 8", codec: .pcmu, payloadType: 0),
        Case(name: "unknown codecs are passed over", formats: "9 18 96 0", codec: .pcmu, payloadType: 0),
        Case(name: "rtpmap in lower case", formats: "8", attributes: ["rtpmap:8 pcma/8000"]),
        Case(name: "one channel said", formats: "8", attributes: ["rtpmap:8 PCMA/8000/1"]),
        Case(
            name: "dynamic payload type for G.711", formats: "97 0", attributes: ["rtpmap:97 PCMA/8000"],
            payloadType: 97),
        Case(
            name: "a static number mapped to something else is not ours", formats: "8 0",
            attributes: ["rtpmap:8 opus/48000/2"], codec: .pcmu, payloadType: 0),
        Case(
            name: "wide-band A-law is not ours", formats: "98 8", attributes: ["rtpmap:98 PCMA/16000"]),
        Case(
            name: "events at 101", formats: "8 101", attributes: ["rtpmap:101 telephone-event/8000", "fmtp:101 0-15"],
            events: 101),
        Case(
            name: "events at any number, before the codec", formats: "120 0",
            attributes: ["rtpmap:120 TELEPHONE-EVENT/8000"], codec: .pcmu, payloadType: 0, events: 120),
        Case(
            name: "events of another clock are not taken (RFC 4733 §2.1)", formats: "100 101 8",
            attributes: ["rtpmap:100 telephone-event/48000", "rtpmap:101 telephone-event/8000"], events: 101),
        Case(name: "ptime 30", formats: "8", attributes: ["ptime:30"], ptime: 30),
        Case(name: "ptime is cut to tens", formats: "8", attributes: ["ptime:35"], ptime: 30),
        Case(name: "ptime too long", formats: "8", attributes: ["ptime:200"], ptime: 60),
        Case(name: "ptime too short", formats: "8", attributes: ["ptime:5"], ptime: 10),
        Case(name: "ptime with a fraction", formats: "8", attributes: ["ptime:40.0"], ptime: 40),
        Case(name: "ptime unreadable", formats: "8", attributes: ["ptime:x"]),
        Case(name: "ptime huge", formats: "8", attributes: ["ptime:99999999999999999999"]),
        Case(name: "maxptime bounds", formats: "8", attributes: ["maxptime:10"], ptime: 10),
        Case(name: "maxptime bounds ptime", formats: "8", attributes: ["ptime:60", "maxptime:45"], ptime: 40),
    ]

    @Test(arguments: cases) func offersAreAnswered(_ item: Case) throws {
        var negotiation = freshNegotiation()
        let answer = try negotiation.answer(try audioOffer(item.formats, item.attributes), with: ourMedia)
        let agreement = answer.agreement
        #expect(agreement.codec == item.codec)
        #expect(agreement.payloadType == item.payloadType)
        #expect(agreement.receivePayloadType == item.payloadType)
        #expect(agreement.telephoneEventPayloadType == item.events)
        #expect(agreement.ptimeMs == item.ptime)
        #expect(agreement.direction == .sendrecv)
        #expect(agreement.remoteRTP == Endpoint("192.0.2.1:6000"))
        #expect(agreement.remoteRTCP == Endpoint("192.0.2.1:6001"))
        let section = answer.description.media[0]
        #expect(section.formats == ([item.payloadType] + (item.events.map { [$0] } ?? [])).map { String($0) })
        #expect(section.value(of: "ptime") == String(item.ptime))
        #expect(section.port == 10_000)
    }

    @Test func theAnswerReadsAsOnTheWire() throws {
        var negotiation = freshNegotiation()
        let offer = try audioOffer("0 8 101", ["rtpmap:101 telephone-event/8000", "fmtp:101 0-16", "ptime:20"])
        let answer = try negotiation.answer(offer, with: ourMedia)
        #expect(
            answer.description.bytes
                == sdp(
                    "v=0", "o=tandem 77 1 IN IP4 10.0.0.1", "s=-", "c=IN IP4 10.0.0.1", "t=0 0",
                    "m=audio 10000 RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000",
                    "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv"))
    }

    @Test(
        arguments: [
            ("0-15", 0xFFFF), ("0-16", 0xFFFF), ("0-9", 0x03FF), ("0-11,16,32-36", 0x0FFF), ("1,3", 0x000A), ("x", 0),
            ("9-0", 0), ("255-300", 0),
        ] as [(String, UInt16)])
    func eventsOfTheOtherSideAreKept(list: String, mask: UInt16) throws {
        var negotiation = freshNegotiation()
        let offer = try audioOffer("8 101", ["rtpmap:101 telephone-event/8000", "fmtp:101 \(list)"])
        #expect(try negotiation.answer(offer, with: ourMedia).agreement.remoteEvents == TelephoneEvents(mask: mask))
    }

    /// RFC 3264 §6.1: sendonly is answered by recvonly, recvonly by sendonly, inactive by inactive.
    @Test(arguments: [
        ("sendrecv", MediaDirection.sendrecv, MediaDirection.sendrecv), ("sendonly", .sendrecv, .recvonly),
        ("recvonly", .sendrecv, .sendonly), ("inactive", .sendrecv, .inactive), ("sendrecv", .sendonly, .sendonly),
        ("sendonly", .sendonly, .inactive), ("recvonly", .inactive, .inactive),
    ])
    func directionIsMirrored(offered: String, wanted: MediaDirection, answered: MediaDirection) throws {
        var negotiation = freshNegotiation()
        let media = LocalMedia(rtp: ourMedia.rtp, direction: wanted)
        let answer = try negotiation.answer(try audioOffer("8", [offered]), with: media)
        #expect(answer.agreement.direction == answered)
        #expect(answer.description.media[0].attributes.last == Attribute(answered.rawValue))
    }

    @Test func sessionDirectionHoldsForMediaWithoutOne() throws {
        var negotiation = freshNegotiation()
        let offer = try description(
            "v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "a=inactive",
            "m=audio 6000 RTP/AVP 8")
        #expect(try negotiation.answer(offer, with: ourMedia).agreement.direction == .inactive)
    }

    /// RFC 3264 §8.4.
    @Test func unspecifiedAddressIsHold() throws {
        var negotiation = freshNegotiation()
        let held = try negotiation.answer(try audioOffer("8", connection: "IN IP4 0.0.0.0"), with: ourMedia)
        #expect(held.agreement.direction == .recvonly)
        let resumed = try negotiation.answer(try audioOffer("8"), with: ourMedia)
        #expect(resumed.agreement.direction == .sendrecv)
        #expect(resumed.description.origin.version == 2)
    }

    /// RFC 3264 §6: as many m-lines as offered, in the same order; refused ones have port 0.
    @Test func mediaThatWeDoNotSpeakAreRefusedInPlace() throws {
        var negotiation = freshNegotiation()
        let offer = try description(
            "v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=5 6", "m=video 7000 RTP/AVP 31 32",
            "m=audio 0 RTP/AVP 8", "m=audio 6002 RTP/SAVP 8", "m=audio 6004 RTP/AVP 18", "m=audio 6006 RTP/AVP 0",
            "m=audio 6008 RTP/AVP 8", "m=application 9 TCP/BFCP *")
        let answer = try negotiation.answer(offer, with: ourMedia)
        #expect(answer.agreement.mediaIndex == 4)
        #expect(answer.agreement.remoteRTP.port == 6006)
        let media = answer.description.media
        #expect(media.map(\.port) == [0, 0, 0, 0, 10_000, 0, 0])
        #expect(media.map(\.media) == offer.media.map(\.media))
        #expect(media.map(\.transport) == offer.media.map(\.transport))
        #expect(media[0].formats == ["31", "32"])
        #expect(answer.description.timings == ["5 6"])
    }

    @Test(arguments: [
        ("m=audio 6000 RTP/AVP 18 9", NegotiationRefusal.codec), ("m=video 6000 RTP/AVP 31", .noAudio),
        ("m=audio 0 RTP/AVP 8", .noAudio), ("m=audio 6000 RTP/SAVP 8", .transport),
        ("m=audio 6000 RTP/AVP 8\r\nc=IN IP6 2001:db8::1", .address),
        ("m=audio 6000 RTP/AVP 8\r\nc=IN IP4 phone.example", .address), ("a=sendrecv", .noAudio),
    ])
    func whatDoesNotFitIsRefusedWith488(media: String, refusal: NegotiationRefusal) throws {
        var negotiation = freshNegotiation()
        let before = negotiation
        let offer = try description(
            "v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", media)
        #expect(throws: refusal) { try negotiation.answer(offer, with: ourMedia) }
        #expect(refusal.status == 488)
        #expect(negotiation == before)
    }

    @Test func ipv6IsAnsweredWithIPv6() throws {
        var negotiation = freshNegotiation()
        let ours = try #require(Endpoint("[2001:db8::1]:10000"))
        let offer = try audioOffer("8", connection: "IN IP6 2001:db8::9")
        let answer = try negotiation.answer(offer, with: LocalMedia(rtp: ours))
        #expect(answer.agreement.remoteRTP == Endpoint("[2001:db8::9]:6000"))
        #expect(answer.description.connection == ConnectionData(addressType: "IP6", host: "2001:db8::1"))
    }

    /// RFC 3605 §2.1.
    @Test(arguments: [
        ("rtcp:53020", "192.0.2.1:53020"), ("rtcp:53020 IN IP4 192.0.2.9", "192.0.2.9:53020"),
        ("rtcp:x", "192.0.2.1:6001"), ("rtcp:70000", "192.0.2.1:6001"), ("rtcp:9 IN IP6 2001:db8::1", "192.0.2.1:6001"),
    ])
    func rtcpAttributeSaysWhereReportsGo(attribute: String, endpoint: String) throws {
        var negotiation = freshNegotiation()
        let answer = try negotiation.answer(try audioOffer("8", [attribute]), with: ourMedia)
        #expect(answer.agreement.remoteRTCP == Endpoint(endpoint))
    }

    /// RFC 3264 §8: the version is raised by one exactly when the description changed.
    @Test func versionFollowsChanges() throws {
        var negotiation = freshNegotiation()
        let first = try negotiation.answer(try audioOffer("8"), with: ourMedia).description
        let same = try negotiation.answer(try audioOffer("8", port: 7000), with: ourMedia)
        #expect(same.description == first)
        #expect(same.agreement.remoteRTP.port == 7000)
        let held = try negotiation.answer(try audioOffer("8", ["sendonly"]), with: ourMedia).description
        #expect(held.origin.version == 2)
        let again = try negotiation.answer(try audioOffer("8"), with: ourMedia).description
        #expect(again.origin.version == 3)
        #expect(again.origin.sessionID == first.origin.sessionID)
    }
}
