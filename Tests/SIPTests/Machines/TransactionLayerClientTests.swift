import Primitives
import Testing

@testable import SIP

@Suite struct TransactionLayerClientTests {
    @Test func inviteIsRepeatedUntilAnyResponse() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let (id, sent) = driver.request(invite, context: 42)
        #expect(id?.context == 42)
        #expect(sent.summary == ["send INVITE → 10.0.0.16:5081"])
        #expect(driver.advance(by: .milliseconds(1_500)).count == 2)
        #expect(driver.receive(try Sample.response(to: invite, 100), on: .center).summary == ["response 100"])
        #expect(driver.advance(by: .seconds(60)).isEmpty)
    }

    /// Timer B: 64*T1 after the first copy; copies at 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s.
    @Test func inviteWithoutResponseTimesOut() throws {
        var driver = LayerDriver()
        _ = driver.request(try Sample.request("INVITE"))
        let outputs = driver.advance(by: .seconds(32)).summary
        #expect(outputs.filter { $0.hasPrefix("send INVITE") }.count == 6)
        #expect(Array(outputs.suffix(2)) == ["timed out", "client ended"])
        #expect(driver.layer.clientCount == 0)
    }

    /// §17.1.1.3: the layer makes the ACK of a refusal and repeats it for each copy of the response.
    @Test func refusalIsAcknowledgedByTheLayer() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE", more: "Route: <sip:10.0.0.16;lr>")
        _ = driver.request(invite)
        let busy = try Sample.response(to: invite, 486, toTag: "busy")
        let outputs = driver.receive(busy, on: .center)
        #expect(outputs.summary == ["send ACK → 10.0.0.16:5081", "response 486"])
        let ack = try Sample.parse(try #require(outputs.first?.sentBytes))
        #expect(ack.via == invite.via)
        #expect(ack.to.tag == "busy")
        #expect(ack.from == invite.from)
        #expect(ack.cseq == CSeq(1, .ack))
        #expect(ack.routes == invite.routes)
        #expect(ack.requestURI == invite.requestURI)
        #expect(driver.receive(busy, on: .center).summary == ["send ACK → 10.0.0.16:5081"])
        #expect(driver.advance(by: .seconds(32)).summary == ["client ended"])
    }

    /// RFC 6026 §7.2: every 2xx, also of another branch of a fork, reaches the user until timer M.
    @Test func everyAnswerIsDelivered() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        _ = driver.request(invite)
        #expect(driver.receive(try Sample.response(to: invite, 200)).summary == ["response 200"])
        #expect(driver.receive(try Sample.response(to: invite, 200)).summary == ["response 200"])
        #expect(driver.receive(try Sample.response(to: invite, 200, toTag: "other")).summary == ["response 200"])
        #expect(driver.advance(by: .seconds(32)).summary == ["client ended"])
        #expect(driver.receive(try Sample.response(to: invite, 200)).summary == ["stray 200"])
    }

    /// §17.1.3: CANCEL has the INVITE's branch, so the method in CSeq decides.
    @Test func cancelWaitsForProvisionalAndIsItsOwnTransaction() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let id = try #require(driver.request(invite).0)
        #expect(driver.cancel(id).isEmpty)
        let outputs = driver.receive(try Sample.response(to: invite, 180))
        #expect(outputs.summary == ["send CANCEL → 10.0.0.16:5081", "response 180"])
        let cancel = try Sample.parse(try #require(outputs.first?.sentBytes))
        #expect(cancel.via == invite.via)
        #expect(cancel.cseq == CSeq(1, .cancel))
        #expect(driver.advance(by: .milliseconds(500)).summary == ["send CANCEL → 10.0.0.16:5081"])
        #expect(driver.receive(try Sample.response(to: cancel, 200)).isEmpty)
        #expect(
            driver.receive(try Sample.response(to: invite, 487)).summary == [
                "send ACK → 10.0.0.16:5081", "response 487",
            ])
    }

    @Test func cancelledInviteWithoutFinalResponseTimesOut() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let id = try #require(driver.request(invite).0)
        _ = driver.receive(try Sample.response(to: invite, 180))
        _ = driver.cancel(id)
        let outputs = driver.advance(by: .seconds(32)).summary
        #expect(Array(outputs.suffix(2)) == ["timed out", "client ended"])
        #expect(driver.layer.clientCount == 0)
    }

    /// §16.8: without timer C's reset for more than three minutes the proxy cancels.
    @Test func ringingForeverIsCancelledByTimerC() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        _ = driver.request(invite, isProxied: true)
        _ = driver.receive(try Sample.response(to: invite, 180))
        #expect(driver.advance(by: .seconds(180)).isEmpty)
        _ = driver.receive(try Sample.response(to: invite, 180))
        #expect(driver.advance(by: .seconds(180)).isEmpty)
        #expect(driver.advance(by: .seconds(1)).summary == ["send CANCEL → 10.0.0.16:5081"])
    }

    @Test func abandonedRequestIsSilentAndItsLateAnswerIsNoted() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let id = try #require(driver.request(invite).0)
        #expect(driver.abandon(id).isEmpty)
        #expect(driver.advance(by: .seconds(1)).isEmpty, "no further copies")
        #expect(
            driver.receive(try Sample.response(to: invite, 180)).summary == ["send CANCEL → 10.0.0.16:5081"],
            "a late provisional response is cancelled")
        #expect(driver.receive(try Sample.response(to: invite, 200)).summary == ["late 200"])
    }

    @Test func abandonedAfterTryingIsCancelledAtOnceAndAcknowledged() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let id = try #require(driver.request(invite, isProxied: true).0)
        _ = driver.receive(try Sample.response(to: invite, 100))
        #expect(driver.abandon(id).summary == ["send CANCEL → 10.0.0.16:5081"])
        #expect(driver.receive(try Sample.response(to: invite, 487)).summary == ["send ACK → 10.0.0.16:5081"])
        _ = driver.advance(by: .seconds(40))
        #expect(driver.layer.clientCount == 0)
    }

    @Test func abandonedWithoutAnyResponseEndsQuietly() throws {
        var driver = LayerDriver()
        let id = try #require(driver.request(try Sample.request("INVITE")).0)
        _ = driver.abandon(id)
        #expect(driver.advance(by: .seconds(32)).summary == ["client ended"])
    }

    @Test func requestsToADeadCenterAreFound() throws {
        var driver = LayerDriver()
        let invites = try (1...4).map { try Sample.request("INVITE", branch: "z9hG4bK\($0)") }
        let first = try #require(driver.request(invites[0]).0)
        let second = try #require(driver.request(invites[1]).0)
        let third = try #require(driver.request(invites[2]).0)
        _ = driver.request(invites[3], to: .otherCenter)
        _ = driver.receive(try Sample.response(to: invites[0], 180))
        _ = driver.receive(try Sample.response(to: invites[1], 200))
        #expect(Set(driver.layer.clientTransactions(to: .center)) == [first, third], "the answered one is out")
        _ = driver.abandon(third)
        #expect(driver.layer.clientTransactions(to: .center) == [first])
        #expect(second != third)
    }

    @Test func closedPortFailsOnlyWhatWaitsForAFirstResponse() throws {
        var driver = LayerDriver()
        let invites = try (1...2).map { try Sample.request("INVITE", branch: "z9hG4bK\($0)") }
        _ = driver.request(invites[0])
        _ = driver.request(invites[1])
        _ = driver.receive(try Sample.response(to: invites[0], 180))
        var outputs: [TransactionOutput] = []
        driver.layer.transportFailed(to: .center, now: driver.now, into: &outputs)
        #expect(outputs.summary == ["transport failed", "client ended"])
    }

    /// §17.1.4: what asked for no certain connection may have left by the one that ended.
    @Test func endOfAConnectionFailsWhatItsPeerWasAsked() throws {
        var driver = LayerDriver()
        let bye = try Sample.request("BYE", toTag: "b1")
        _ = driver.request(bye, to: Flow(transport: .tcp, remote: Flow.center.remote))
        let others = [
            Flow(transport: .tcp, remote: Flow.center.remote, connection: 9),
            Flow(transport: .tcp, remote: Flow.otherCenter.remote), .center,
        ]
        for (index, flow) in others.enumerated() {
            _ = driver.request(try Sample.request("BYE", branch: "z9hG4bKo\(index)", toTag: "b1"), to: flow)
        }
        let ended = Flow(transport: .tcp, remote: Flow.center.remote, connection: 4)
        var outputs: [TransactionOutput] = []
        driver.layer.transportFailed(to: ended, now: driver.now, into: &outputs)
        #expect(outputs.summary == ["transport failed", "client ended"])
        #expect(driver.layer.clientCount == 3, "another connection, another peer, another transport")
    }

    @Test func endOfAConnectionEndsAnINVITEThatRings() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        _ = driver.request(invite, to: Flow(transport: .tcp, remote: Flow.center.remote))
        _ = driver.receive(try Sample.response(to: invite, 180))
        let ended = Flow(transport: .tcp, remote: Flow.center.remote, connection: 4)
        var outputs: [TransactionOutput] = []
        driver.layer.transportFailed(to: ended, now: driver.now, into: &outputs)
        #expect(outputs.summary == ["transport failed", "client ended"])
        #expect(driver.layer.clientCount == 0)
        #expect(driver.layer.nextDeadline() == nil)
    }

    /// §16.8: "the proxy MUST generate a CANCEL request matching that transaction"; where that brings no final response
    /// either, it is a 408. Inside a dialog as outside.
    @Test func timerCEndsAReinviteThatIsNeverAnswered() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE", toTag: "b1", cseq: 2)
        _ = driver.request(invite, isProxied: true)
        _ = driver.receive(try Sample.response(to: invite, 100))
        let outputs = driver.advance(by: .seconds(181))
        #expect(outputs.summary == ["send CANCEL → 10.0.0.16:5081"])
        let cancel = try Sample.parse(try #require(outputs.first?.sentBytes))
        #expect(cancel.to.tag == "b1")
        #expect(cancel.cseq == CSeq(2, .cancel))
        let afterwards = driver.advance(by: .seconds(32)).summary
        #expect(Array(afterwards.suffix(2)) == ["timed out", "client ended"])
        #expect(driver.layer.clientCount == 0)
    }

    @Test func fullTableSendsNothing() throws {
        var driver = LayerDriver(clientLimit: 1)
        _ = driver.request(try Sample.request("OPTIONS"))
        let (id, outputs) = driver.request(try Sample.request("OPTIONS", branch: "z9hG4bK2"))
        #expect(id == nil)
        #expect(outputs.isEmpty)
    }

    @Test func responseWithoutTransactionIsStray() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        _ = driver.request(invite)
        let other = try Sample.request("INVITE", branch: "z9hG4bKother")
        #expect(driver.receive(try Sample.response(to: other, 200)).summary == ["stray 200"])
    }

    /// Repetition, loss and disorder never leave a record or a timer behind.
    @Test func nothingIsLeftWhenAllIsOver() throws {
        var driver = LayerDriver(serverLimit: 1_000, clientLimit: 1_000)
        var random = SeededRandom(seed: 7)
        for index in 0..<200 {
            let invite = try Sample.request("INVITE", branch: "z9hG4bK\(index)")
            let id = try #require(driver.request(invite, isProxied: true).0)
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                switch Int.random(in: 0...5, using: &random) {
                case 0: _ = driver.receive(try Sample.response(to: invite, 100))
                case 1: _ = driver.receive(try Sample.response(to: invite, 180))
                case 2: _ = driver.receive(try Sample.response(to: invite, 200))
                case 3: _ = driver.receive(try Sample.response(to: invite, 503))
                case 4: _ = driver.cancel(id)
                default: _ = driver.abandon(id)
                }
                _ = driver.advance(by: .milliseconds(Int.random(in: 0...700, using: &random)))
            }
        }
        _ = driver.advance(by: .seconds(400))
        #expect(driver.layer.clientCount == 0)
        #expect(driver.layer.nextDeadline() == nil)
        #expect(driver.layer.clientTransactions(to: .center).isEmpty)
    }
}
