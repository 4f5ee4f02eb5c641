import Foundation
import Primitives
import SDP
import Testing

@Suite struct OfferTests {
    @Test func inviteWithoutOfferGetsOursAndTheAckAnswers() throws {
        var negotiation = freshNegotiation()
        let offer = try negotiation.makeOffer(with: ourMedia)
        #expect(
            offer.bytes
                == sdp(
                    "v=0", "o=tandem 77 1 IN IP4 10.0.0.1", "s=-", "c=IN IP4 10.0.0.1", "t=0 0",
                    "m=audio 10000 RTP/AVP 8 0 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000",
                    "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv"))
        let agreement = try negotiation.accept(
            try audioOffer("0 8 96", ["rtpmap:96 telephone-event/8000", "ptime:30"]))
        #expect(agreement.codec == .pcmu)
        #expect(agreement.telephoneEventPayloadType == 96)
        #expect(agreement.receiveTelephoneEventPayloadType == 101)
        #expect(agreement.ptimeMs == 30)
        #expect(negotiation.agreement == agreement)
        #expect(negotiation.pendingOffer == nil)
    }

    @Test func answerWithoutEventsMeansInBandDigits() throws {
        var negotiation = freshNegotiation()
        _ = try negotiation.makeOffer(with: ourMedia)
        let agreement = try negotiation.accept(try audioOffer("8"))
        #expect(agreement.telephoneEventPayloadType == nil)
        #expect(agreement.receiveTelephoneEventPayloadType == nil)
    }

    /// RFC 3264 §6: an answer has as many m-lines as the offer.
    @Test func answersThatDoNotFitAreRefusedAndCloseTheOffer() throws {
        var negotiation = freshNegotiation()
        #expect(throws: NegotiationRefusal.unexpectedAnswer) { try negotiation.accept(try audioOffer("8")) }
        for (formats, port, refusal) in [("18", 6000, NegotiationRefusal.codec), ("8", 0, .noAudio)] {
            _ = try negotiation.makeOffer(with: ourMedia)
            #expect(throws: refusal) { try negotiation.accept(try audioOffer(formats, port: port)) }
            #expect(negotiation.pendingOffer == nil)
        }
        _ = try negotiation.makeOffer(with: ourMedia)
        let none = try description("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0")
        #expect(throws: NegotiationRefusal.unexpectedAnswer) { try negotiation.accept(none) }
        #expect(negotiation.agreement == nil)
    }

    /// RFC 3264 §4: one offer at a time, either way.
    @Test func anOpenOfferBarsOthers() throws {
        var negotiation = freshNegotiation()
        _ = try negotiation.makeOffer(with: ourMedia)
        #expect(throws: NegotiationRefusal.offerPending) { try negotiation.makeOffer(with: ourMedia) }
        #expect(throws: NegotiationRefusal.offerPending) {
            try negotiation.answer(try audioOffer("8"), with: ourMedia)
        }
        #expect(NegotiationRefusal.offerPending.status == 491)
        negotiation.abandonOffer()
        #expect(try negotiation.answer(try audioOffer("8"), with: ourMedia).agreement.codec == .pcma)
    }

    /// RFC 3264 §8: a later offer keeps the m-lines, and an offer that was refused changes nothing that is in force.
    @Test func laterOffersKeepTheMediaLines() throws {
        var negotiation = freshNegotiation()
        let offer = try description(
            "v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=video 7000 RTP/AVP 31",
            "m=audio 6000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000")
        let first = try negotiation.answer(offer, with: ourMedia)
        let hold = try negotiation.makeOffer(with: LocalMedia(rtp: ourMedia.rtp, direction: .sendonly))
        #expect(hold.media.map(\.port) == [0, 10_000])
        #expect(hold.media[1].formats == first.description.media[1].formats)
        #expect(hold.origin.version == 2)
        negotiation.abandonOffer()
        #expect(negotiation.agreement == first.agreement)
        let next = try negotiation.makeOffer(with: ourMedia)
        #expect(next.origin.version == 3)
    }

    @Test func holdOfOursIsAnsweredAndAgreed() throws {
        var negotiation = freshNegotiation()
        _ = try negotiation.answer(try audioOffer("8"), with: ourMedia)
        _ = try negotiation.makeOffer(with: LocalMedia(rtp: ourMedia.rtp, direction: .sendonly))
        #expect(try negotiation.accept(try audioOffer("8", ["recvonly"])).direction == .sendonly)
        // An answer may not widen what was offered.
        _ = try negotiation.makeOffer(with: LocalMedia(rtp: ourMedia.rtp, direction: .inactive))
        #expect(try negotiation.accept(try audioOffer("8")).direction == .inactive)
    }

    /// Whoever goes on with a call keeps its `o=` line but for the version; only `c=` and `m=` change.
    @Test func aNewOwnerGoesOnFromTheCheckpoint() throws {
        var first = freshNegotiation()
        let answer = try first.answer(
            try audioOffer("0 101", ["rtpmap:101 telephone-event/8000"]), with: ourMedia
        ).description
        let checkpoint = try JSONEncoder().encode(first)
        var second = try JSONDecoder().decode(OfferAnswer.self, from: checkpoint)
        #expect(second == first)
        let elsewhere = LocalMedia(rtp: try #require(Endpoint("10.0.0.2:20000")))
        let offer = try second.makeOffer(with: elsewhere, raisingVersion: true)
        let before = answer.description.split(separator: "\r\n").map(String.init)
        let after = offer.description.split(separator: "\r\n").map(String.init)
        #expect(before.count == after.count)
        let changed = zip(before, after).filter { $0 != $1 }.map(\.1)
        #expect(
            changed == [
                "o=tandem 77 2 IN IP4 10.0.0.1", "c=IN IP4 10.0.0.2", "m=audio 20000 RTP/AVP 0 101",
            ])
        // The owner that returns to the same port says so by the version alone.
        var same = try JSONDecoder().decode(OfferAnswer.self, from: checkpoint)
        #expect(try same.makeOffer(with: ourMedia, raisingVersion: true).origin.version == 2)
        var refresh = first
        #expect(try refresh.makeOffer(with: ourMedia) == answer)
    }

    @Test func agreementsSurviveACheckpoint() throws {
        var negotiation = freshNegotiation()
        let offer = try audioOffer(
            "0 101", ["rtpmap:101 telephone-event/8000", "fmtp:101 0-9", "rtcp:9999", "ptime:40"])
        let agreement = try negotiation.answer(offer, with: ourMedia).agreement
        let decoded = try JSONDecoder().decode(MediaAgreement.self, from: try JSONEncoder().encode(agreement))
        #expect(decoded == agreement)
        let broken = Data(#"{"rtp":"nowhere"}"#.utf8)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(MediaAgreement.self, from: broken) }
    }
}
