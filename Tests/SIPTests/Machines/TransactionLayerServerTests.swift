import Primitives
import Testing

@testable import SIP

@Suite struct TransactionLayerServerTests {
    @Test func repeatedInviteIsAbsorbedAndAnsweredFromMemory() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let first = driver.receive(invite)
        #expect(first.summary == ["request INVITE"])
        let id = try #require(first.serverID)
        #expect(driver.receive(invite).isEmpty)
        #expect(driver.respond(id, 180).count == 1)
        let again = driver.receive(invite)
        #expect(again.count == 1)
        #expect(again.first?.sentBytes == Array("180".utf8))
    }

    /// §17.2.3: "The branch parameter … and the sent-by value … and the method" together make the match.
    @Test func branchSentByAndMethodTellTransactionsApart() throws {
        var driver = LayerDriver()
        #expect(driver.receive(try Sample.request("OPTIONS")).summary == ["request OPTIONS"])
        #expect(driver.receive(try Sample.request("OPTIONS", branch: "z9hG4bK2")).summary == ["request OPTIONS"])
        #expect(driver.receive(try Sample.request("OPTIONS", via: "10.0.0.5:5063")).summary == ["request OPTIONS"])
        #expect(driver.receive(try Sample.request("OPTIONS", via: "10.0.0.6:5062")).summary == ["request OPTIONS"])
        #expect(driver.receive(try Sample.request("INFO")).summary == ["request INFO"])
        #expect(driver.receive(try Sample.request("OPTIONS")).isEmpty)
    }

    /// §18.2.2: without rport the response goes to the port of sent-by, and RFC 3581 §4: with it to the source port.
    @Test func responsesFollowViaAndSource() throws {
        var driver = LayerDriver()
        let source = Flow(transport: .udp, remote: Endpoint(.v4(0x0A00_0009), port: 1_024), listener: 3)
        let plain = try #require(driver.receive(try Sample.request("OPTIONS"), on: source).serverID)
        #expect(driver.respond(plain, 200).summary == ["send 200 → 10.0.0.9:5062"])
        let symmetric = try #require(
            driver.receive(try Sample.request("OPTIONS", branch: "z9hG4bK9;rport"), on: source).serverID)
        #expect(driver.respond(symmetric, 200).summary == ["send 200 → 10.0.0.9:1024"])
        let portless = try #require(
            driver.receive(try Sample.request("OPTIONS", branch: "z9hG4bK8", via: "10.0.0.5"), on: source).serverID)
        #expect(driver.respond(portless, 200).summary == ["send 200 → 10.0.0.9:5060"])
    }

    @Test func responsesOverTCPStayOnTheConnection() throws {
        var driver = LayerDriver()
        let id = try #require(
            driver.receive(try Sample.request("OPTIONS", transport: "TCP"), on: .tcpPhone).serverID)
        #expect(driver.layer.responseFlow(of: id) == .tcpPhone)
        #expect(driver.respond(id, 200).summary == ["send 200 → 10.0.0.5:40000", "ended"])
        #expect(driver.layer.serverCount == 0)
    }

    /// §17.2.1 with Table 4: G at 0.5, 1.5, 3.5, 7.5, then every 4 s; H at 32 s.
    @Test func refusalRepeatsUntilAckOrTimerH() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let id = try #require(driver.receive(invite).serverID)
        #expect(driver.respond(id, 486).count == 1)
        #expect(driver.advance(by: .milliseconds(499)).isEmpty)
        #expect(driver.advance(by: .milliseconds(1)).count == 1)
        let rest = driver.advance(by: .seconds(40)).summary
        #expect(rest.filter { $0.hasPrefix("send 486") }.count == 9)
        #expect(Array(rest.suffix(2)) == ["unacknowledged", "ended"])
        #expect(driver.layer.serverCount == 0)
    }

    @Test func ackOfRefusalIsAbsorbed() throws {
        var driver = LayerDriver()
        let id = try #require(driver.receive(try Sample.request("INVITE")).serverID)
        _ = driver.respond(id, 486)
        let ack = try Sample.request("ACK", toTag: "b1")
        #expect(driver.receive(ack).isEmpty)
        #expect(driver.receive(ack).isEmpty)
        #expect(driver.advance(by: .seconds(5)).summary == ["ended"])
    }

    /// §13.2.2.4: the ACK for a 2xx has a branch of its own and belongs to the user.
    @Test func ackOfAnswerIsPassedUp() throws {
        var driver = LayerDriver()
        let id = try #require(driver.receive(try Sample.request("INVITE")).serverID)
        #expect(driver.respond(id, 200).count == 1)
        #expect(driver.receive(try Sample.request("ACK", branch: "z9hG4bK-ack", toTag: "b1")).summary == ["ack"])
        #expect(driver.receive(try Sample.request("ACK", toTag: "b1")).summary == ["ack"], "same branch: a bad client")
    }

    /// RFC 6026 §7.1: Accepted absorbs INVITEs for 64*T1 and lets the user send 2xx again.
    @Test func acceptedAbsorbsInviteAndRepeatsAnswerOnDemand() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let id = try #require(driver.receive(invite).serverID)
        _ = driver.respond(id, 200)
        #expect(driver.receive(invite).isEmpty)
        #expect(driver.respond(id, 200).summary == ["send 200 → 10.0.0.5:5062"])
        #expect(driver.respond(id, 486).isEmpty)
        #expect(driver.advance(by: .seconds(32)).summary == ["ended"])
        #expect(driver.receive(invite).summary == ["request INVITE"])
    }

    /// §9.2: CANCEL is matched with the INVITE's transaction and has one of its own.
    @Test func cancelFindsItsInvite() throws {
        var driver = LayerDriver()
        let invite = try #require(driver.receive(try Sample.request("INVITE")).serverID)
        let cancel = try Sample.request("CANCEL")
        guard case .cancel(let own, let matched, _, _)? = driver.receive(cancel).first else {
            Issue.record("no cancel")
            return
        }
        #expect(matched == invite)
        #expect(own != invite)
        #expect(driver.respond(own, 200).count == 1)
        #expect(driver.receive(cancel).summary == ["send 200 → 10.0.0.5:5062"])
    }

    @Test func cancelOfUnknownInviteSaysSo() throws {
        var driver = LayerDriver()
        #expect(driver.receive(try Sample.request("CANCEL")).summary == ["cancel of nothing"])
    }

    @Test func tryingIsSentAtOnceAndRepeated() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE")
        let id = try #require(driver.receive(invite).serverID)
        var outputs: [TransactionOutput] = []
        driver.layer.trying(id, request: invite, from: .phone, now: driver.now, into: &outputs)
        #expect(outputs.summary == ["send 100 → 10.0.0.5:5062"])
        #expect(driver.receive(invite).summary == ["send 100 → 10.0.0.5:5062"])
    }

    /// §17.2.3, second half: without the magic cookie Request-URI, tags, Call-ID, CSeq and top Via are compared.
    @Test func oldClientsAreMatchedByTheirHeaders() throws {
        var driver = LayerDriver()
        let invite = try Sample.request("INVITE", branch: "1")
        let id = try #require(driver.receive(invite).serverID)
        #expect(driver.receive(invite).isEmpty)
        #expect(driver.receive(try Sample.request("INVITE", branch: "1", callID: "call-2")).count == 1)
        #expect(driver.receive(try Sample.request("INVITE", branch: "1", cseq: 2)).count == 1)
        guard case .cancel(_, let matched, _, _)? = driver.receive(try Sample.request("CANCEL", branch: "1")).first
        else {
            Issue.record("no cancel")
            return
        }
        #expect(matched == id)
        _ = driver.respond(id, 487)
        #expect(driver.receive(try Sample.request("ACK", branch: "1", toTag: "b1")).isEmpty)
    }

    /// I8: a full table gives a clear answer.
    @Test func fullTableRefusesAndRecovers() throws {
        var driver = LayerDriver(serverLimit: 1)
        let id = try #require(driver.receive(try Sample.request("OPTIONS")).serverID)
        #expect(driver.receive(try Sample.request("INVITE", branch: "z9hG4bK2")).summary == ["refused INVITE"])
        _ = driver.respond(id, 200)
        #expect(driver.advance(by: .seconds(32)).summary == ["ended"])
        #expect(driver.receive(try Sample.request("INVITE", branch: "z9hG4bK2")).summary == ["request INVITE"])
    }

    @Test func endedTransactionCannotBeAnswered() throws {
        var driver = LayerDriver()
        let id = try #require(driver.receive(try Sample.request("OPTIONS")).serverID)
        _ = driver.respond(id, 200)
        _ = driver.advance(by: .seconds(32))
        _ = driver.receive(try Sample.request("INVITE", branch: "z9hG4bK2"))
        #expect(driver.respond(id, 500).isEmpty, "the slot has a new tenant")
        #expect(driver.layer.responseFlow(of: id) == nil)
    }
}
