import Primitives
import Testing

@testable import SIP

/// The whole of a proxy's work on one call: layer, core and context together.
@Suite struct ProxyFailoverTests {
    private let phone = "10.0.0.5:5062"
    private let first = "10.0.0.16:5081"
    private let second = "10.0.0.17:5082"

    /// A proxy that has just sent the INVITE to the first center; and that INVITE as the center sees it.
    private func ringing() throws -> (proxy: SmallProxy, invite: Message, toFirst: Message) {
        var proxy = SmallProxy()
        let invite = try Sample.request("INVITE", more: "Contact: <sip:alice@10.0.0.5:5062>")
        proxy.receive(invite, from: .phone)
        let forwarded = try #require(try proxy.lastSent(to: .center))
        #expect(proxy.takeSent() == ["100 → \(phone)", "INVITE → \(first)"])
        return (proxy, invite, forwarded)
    }

    @Test func answerOfFirstCenterReachesTheCaller() throws {
        var (proxy, _, toFirst) = try ringing()
        #expect(toFirst.via.count == 2)
        #expect(toFirst.maxForwards == 69)
        #expect(toFirst.recordRoutes.first?.uri.host == "10.0.0.1")
        proxy.receive(try Sample.response(to: toFirst, 100), from: .center)
        #expect(proxy.takeSent() == [], "100 is hop by hop")
        proxy.receive(try Sample.response(to: toFirst, 180), from: .center)
        proxy.receive(try Sample.response(to: toFirst, 200), from: .center)
        #expect(proxy.takeSent() == ["180 → \(phone)", "200 → \(phone)"])
        proxy.receive(try Sample.response(to: toFirst, 200), from: .center)
        #expect(proxy.takeSent() == ["200 → \(phone)"], "a repeated 2xx is forwarded each time")
    }

    @Test func refusalWith503TriesTheNextCenter() throws {
        var (proxy, invite, toFirst) = try ringing()
        proxy.receive(try Sample.response(to: toFirst, 503), from: .center)
        let toSecond = try #require(try proxy.lastSent(to: .otherCenter))
        #expect(proxy.takeSent() == ["ACK → \(first)", "INVITE → \(second)"])
        #expect(toSecond.via.first?.branch != toFirst.via.first?.branch)
        proxy.receive(try Sample.response(to: toSecond, 200), from: .otherCenter)
        let answer = try #require(try proxy.lastSent(to: .phone))
        #expect(proxy.takeSent() == ["200 → \(phone)"])
        #expect(answer.via.map(\.branch) == invite.via.map(\.branch))
    }

    @Test func silenceTriesTheNextCenterWithinTheFirstResponseTime() throws {
        var (proxy, _, _) = try ringing()
        proxy.advance(by: .milliseconds(299))
        #expect(proxy.takeSent() == [])
        proxy.advance(by: .milliseconds(1))
        #expect(proxy.takeSent() == ["INVITE → \(second)"])
    }

    /// TAKEOVER: "each INVITE branch to it that has no final response counts as 408 at once (100 or 180
    /// notwithstanding) and the next center is tried".
    @Test func deathAfterRingingTriesTheNextCenter() throws {
        var (proxy, _, toFirst) = try ringing()
        proxy.receive(try Sample.response(to: toFirst, 180), from: .center)
        _ = proxy.takeSent()
        proxy.centerDied(.center)
        #expect(proxy.takeSent() == ["CANCEL → \(first)", "INVITE → \(second)"])
    }

    /// "A late 2xx from an abandoned branch is ACKed and BYEd by access; a late 1xx is CANCELed."
    @Test func lateAnswerOfAbandonedCenterIsReleased() throws {
        var (proxy, _, toFirst) = try ringing()
        proxy.advance(by: .milliseconds(300))
        let toSecond = try #require(try proxy.lastSent(to: .otherCenter))
        _ = proxy.takeSent()
        proxy.receive(try Sample.response(to: toFirst, 180), from: .center)
        #expect(proxy.takeSent() == ["CANCEL → \(first)"])
        proxy.receive(
            try Sample.response(to: toFirst, 200, toTag: "late", contact: "<sip:10.0.0.16:5081>"), from: .center)
        let bye = try #require(try proxy.lastSent(to: .center))
        #expect(proxy.takeSent() == ["ACK → \(first)", "BYE → \(first)"])
        #expect(bye.to.tag == "late")
        #expect(bye.cseq == CSeq(2, .bye))
        #expect(bye.requestURI?.host == "10.0.0.16")
        #expect(bye.routes.isEmpty, "our own Record-Route is no hop for us")
        proxy.receive(try Sample.response(to: toSecond, 200), from: .otherCenter)
        #expect(proxy.takeSent() == ["200 → \(phone)"])
    }

    @Test func declineNeverFailsOver() throws {
        for status in [404, 486, 500, 603] {
            var (proxy, _, toFirst) = try ringing()
            proxy.receive(try Sample.response(to: toFirst, status), from: .center)
            #expect(proxy.takeSent() == ["ACK → \(first)", "\(status) → \(phone)"])
        }
    }

    @Test func noCenterLeftAnswers503() throws {
        var (proxy, _, toFirst) = try ringing()
        proxy.receive(try Sample.response(to: toFirst, 503), from: .center)
        let toSecond = try #require(try proxy.lastSent(to: .otherCenter))
        _ = proxy.takeSent()
        proxy.receive(try Sample.response(to: toSecond, 503), from: .otherCenter)
        #expect(proxy.takeSent() == ["ACK → \(second)", "503 → \(phone)"])
    }

    @Test func callersCancelEndsWith487() throws {
        var (proxy, _, toFirst) = try ringing()
        proxy.receive(try Sample.response(to: toFirst, 180), from: .center)
        _ = proxy.takeSent()
        proxy.receive(try Sample.request("CANCEL"), from: .phone)
        #expect(proxy.takeSent() == ["200 → \(phone)", "CANCEL → \(first)"])
        proxy.receive(try Sample.response(to: toFirst, 487), from: .center)
        #expect(proxy.takeSent() == ["ACK → \(first)", "487 → \(phone)"])
    }

    @Test func cancelWhileTheCenterIsSilentEndsWith487WithoutAnotherCenter() throws {
        var (proxy, _, _) = try ringing()
        proxy.receive(try Sample.request("CANCEL"), from: .phone)
        #expect(proxy.takeSent() == ["200 → \(phone)"])
        proxy.advance(by: .milliseconds(300))
        #expect(proxy.takeSent() == ["487 → \(phone)"])
    }

    @Test func refusedPortTriesTheNextCenter() throws {
        var (proxy, _, _) = try ringing()
        var outputs: [TransactionOutput] = []
        let id = try #require(proxy.layer.clientTransactions(to: .center).first)
        proxy.centerDied(.center)
        proxy.layer.transportFailed(id, now: proxy.now, into: &outputs)
        #expect(outputs.summary == ["client ended"])
        #expect(proxy.takeSent() == ["INVITE → \(second)"])
    }

    @Test func nothingLingersForever() throws {
        var (proxy, _, toFirst) = try ringing()
        proxy.receive(try Sample.response(to: toFirst, 503), from: .center)
        proxy.advance(by: .seconds(400))
        #expect(proxy.layer.clientCount == 0)
        #expect(proxy.layer.serverCount == 0)
    }
}
