import Primitives
import SDP
import Testing

/// A negotiation that another node began, from the two descriptions in its checkpoint.
@Suite struct ResumingTests {
    private static let theirs = """
        v=0\r\no=alice 1 1 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\n\
        m=video 0 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 96 8 101\r\na=rtpmap:96 PCMU/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=ptime:40\r\na=sendonly\r\n
        """

    private func theirs() throws -> SessionDescription { try SessionDescription(parsing: Array(Self.theirs.utf8)) }
    private func media(_ text: String) throws -> LocalMedia { LocalMedia(rtp: try #require(Endpoint(text))) }

    private func answered() throws -> OfferAnswer {
        var first = OfferAnswer(origin: Origin(sessionID: 77, address: .v4(0x0A00_0001)))
        _ = try first.answer(try theirs(), with: try media("10.0.0.1:10000"))
        return first
    }

    private func resumed(_ former: OfferAnswer, version: UInt64 = 0) throws -> OfferAnswer {
        let local = try #require(former.local ?? former.pendingOffer).description
        return try OfferAnswer(
            resuming: try SessionDescription(parsing: Array(local.utf8)), remote: try theirs(), version: version)
    }

    @Test func agreementIsTheSameAfterwards() throws {
        let former = try answered()
        #expect(try resumed(former).agreement == former.agreement)
        #expect(try resumed(former).origin == former.origin)
    }

    /// Our offer, their answer: it makes no difference who began.
    @Test func agreementOfOurOwnOfferIsTheSameAfterwards() throws {
        var former = OfferAnswer(origin: Origin(sessionID: 77, address: .v4(0x0A00_0001)))
        _ = try former.makeOffer(with: try media("10.0.0.1:10000"))
        var answer = try theirs()
        answer.media.removeFirst()
        _ = try former.accept(answer)
        let local = try #require(former.local)
        let next = try OfferAnswer(resuming: local, remote: answer, version: 1)
        #expect(next.agreement == former.agreement)
    }

    /// "`o=` is byte-identical except its version + 1; only `c=` and `m=` change": a caller on hold stays so.
    @Test func moveChangesAddressPortAndVersionOnly() throws {
        let former = try answered()
        var next = try resumed(former)
        let offer = try next.makeMove(to: try #require(Endpoint("10.0.0.2:20000")))
        var expected = try #require(former.local)
        expected.origin.version += 1
        expected.connection = ConnectionData(.v4(0x0A00_0002))
        expected.media[1].port = 20_000
        #expect(offer == expected)
        #expect(offer.description.contains("a=recvonly"))
        #expect(next.pendingOffer == offer)
    }

    /// An offer that was refused raised the version, though nothing of it is in force (RFC 3264 §8).
    @Test func versionThatWentOutLastIsRaised() throws {
        var next = try resumed(try answered(), version: 9)
        #expect(try next.makeMove(to: try #require(Endpoint("10.0.0.2:20000"))).origin.version == 10)
    }

    /// The offer left in a 2xx; its answer comes in the ACK, to the new owner.
    @Test func openOfferTakesItsAnswer() throws {
        var former = OfferAnswer(origin: Origin(sessionID: 77, address: .v4(0x0A00_0001)))
        let offer = try former.makeOffer(with: try media("10.0.0.1:10000"))
        var next = try OfferAnswer(resuming: offer, remote: nil, version: 1)
        #expect(next.agreement == nil)
        #expect(next.pendingOffer == offer)
        #expect(throws: NegotiationRefusal.offerPending) { try next.makeMove(to: Endpoint(.v4(1), port: 2)) }
        var answer = try theirs()
        answer.media.removeFirst()
        #expect(try next.accept(answer).remoteRTP == Endpoint("192.0.2.5:4000"))
    }

    @Test func descriptionsThatDoNotFitAreRefused() throws {
        var other = try theirs()
        other.media.removeAll()
        let local = try #require(try answered().local)
        #expect(throws: NegotiationRefusal.unexpectedAnswer) {
            try OfferAnswer(resuming: local, remote: other, version: 1)
        }
    }
}
