import Media
import Primitives
import SDP
import SIP
import Session
import Store
import Testing

@testable import Center

/// TAKEOVER.md, Signalling of the new owner.
@Suite struct TakeoverTests {
    private func places(_ bench: CenterBench, _ starts: [String]) -> [Int?] {
        starts.map { start in bench.index { $0.sends(start) } }
    }

    /// "same Call-ID and tags, CSeq jumped ahead, … own address in c=, m= and Contact, o= version raised".
    @Test func callGoesOnAtTheSurvivor() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        try cluster["a"].press("2")
        let before = try #require(cluster["a"].responses(200, to: .invite).last?.message)
        let session = try #require(cluster["a"].opened.first?.session)
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]

        let invite = try #require(bench.requestsSent(.invite).last?.message)
        #expect(invite.callID == phone.callID)
        #expect(invite.from.tag == phone.toTag)
        #expect(invite.to.tag == phone.fromTag)
        #expect(invite.cseq.number == 1_001)
        #expect(invite.contacts.first?.uri.host == "10.0.0.2")
        let offer = try SessionDescription(parsing: Array(invite.bodyText.utf8))
        let former = try SessionDescription(parsing: Array(before.bodyText.utf8))
        var expected = former
        expected.origin.version += 1
        expected.connection = offer.connection
        expected.media[0].port = offer.media[0].port
        #expect(offer == expected, "only c=, m= and the version differ")
        #expect(offer.connection?.host == "10.0.0.1" || offer.connection?.host == "10.0.0.2")

        try phone.answerInvite()
        #expect(bench.requestsSent(.ack).last?.message.cseq.number == 1_001)
        let stored = try #require(cluster.store.session(session))
        #expect(stored.ownership == Ownership(node: try cluster.identity("b"), epoch: 2))
        #expect(stored.checkpoint.record.takeovers == 1)
        #expect(stored.checkpoint.record.centers == ["center-a", "center-b"])
        #expect(bench.call?.takeover == nil)
        #expect(bench.timeline.contains { $0.kind == .takeover })
        try phone.hangUp()
        #expect(cluster.store.records.map(\.end) == [.caller])
        #expect(bench.isIdle)
    }

    /// "RTP starts at once towards the last latched address", before the phone has answered anything.
    @Test func audioStartsAtOnceAtTheLatchedAddress() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        let latched = try #require(Endpoint("192.0.2.5:4444"))
        try cluster["a"].handle(.media(try #require(cluster["a"].lastCall), .latched(latched)))
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        let applied = bench.index {
            if case .media(_, .apply(_, _, latched)) = $0 { true } else { false }
        }
        let invited = bench.index { $0.sends("INVITE") }
        #expect(try #require(applied) < (try #require(invited)))
        #expect(bench.notes.contains { if case .tookOver = $0 { true } else { false } })
    }

    /// "The first checkpoint is committed … before any INVITE of ours inside a dialog leaves."
    @Test func nothingIsSentBeforeTheStoreHasTheCheckpoint() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        let bench = try cluster["b"]
        bench.holdsBack = { if case .inviting = $0 { true } else { false } }
        try cluster.move(phone, from: "a", to: "b")
        #expect(bench.requestsSent(.invite).isEmpty)
        #expect(bench.requestsSent(.ack).isEmpty)
        let write = try #require(bench.checkpoints.last?.checkpoint.dialogs.first)
        #expect(write.localCSeq == 1_001 && write.localInviteCSeq == 1_001)
        for purpose in bench.heldBack { bench.handle(.stored(purpose, .done)) }
        #expect(bench.requestsSent(.invite).count == 1)
    }

    /// "Before the re-INVITE: ACK for the predecessor's last checkpointed INVITE CSeq (harmless if it was sent)."
    @Test func predecessorsInviteIsAcknowledgedFirst() throws {
        let cluster = try Cluster(["a", "b", "c"])
        let phone = try Phone(try cluster["a"]).establish()
        try cluster.move(phone, from: "a", to: "b")
        // B dies before it sees the answer to its re-INVITE.
        try cluster.move(phone, from: "b", to: "c")
        let bench = try cluster["c"]
        #expect(bench.requestsSent(.ack).map(\.message.cseq.number) == [1_001])
        #expect(bench.requestsSent(.invite).map(\.message.cseq.number) == [2_002])
        let order = places(bench, ["ACK", "INVITE"]).compactMap { $0 }
        #expect(order.count == 2 && order[0] < order[1])
        let offer = try SessionDescription(
            parsing: Array(try #require(bench.requestsSent(.invite).last?.message).bodyText.utf8))
        #expect(offer.origin.version == 3)
        try phone.answerInvite()
        #expect(cluster.store.session(try #require(bench.checkpoints.last?.session))?.checkpoint.record.takeovers == 2)
        #expect(bench.call?.record.centers == ["center-a", "center-b", "center-c"])
    }

    /// The one that takes over dies after its claim and before it wrote anything: its numbers are skipped all the same.
    @Test func survivorThatDiesHalfWayLosesNothing() throws {
        let cluster = try Cluster(["a", "b", "c"])
        let phone = try Phone(try cluster["a"]).establish()
        try cluster["a"].press("2")
        let state = try cluster["a"].call?.menu?.state
        try cluster["b"].replies = {
            if case .checkpoint = $0 { .unavailable(StoreTrouble(.locked, "away")) } else { nil }
        }
        try cluster.move(phone, from: "a", to: "b")
        #expect(try cluster["b"].requestsSent(.invite).map(\.message.cseq.number) == [1_001])
        try cluster.move(phone, from: "b", to: "c")
        let bench = try cluster["c"]
        let invite = try #require(bench.requestsSent(.invite).last?.message)
        #expect(bench.requestsSent(.invite).map(\.message.cseq.number) == [2_001])
        // RFC 3264 §8: b told the phone of its address under the next version, which stands for b's from then on.
        let told = try #require(cluster["b"].requestsSent(.invite).last?.message)
        let versions = try [told, invite].map {
            try SessionDescription(parsing: Array($0.bodyText.utf8)).origin.version
        }
        #expect(versions[1] > versions[0])
        #expect(bench.call?.menu?.state == state)
        try phone.answerInvite()
        try phone.hangUp()
        #expect(cluster.store.records.count == 1)
    }

    /// "A 200 that was never ACKed is sent again from the checkpoint; the re-INVITE follows the ACK".
    @Test func unacknowledged200IsSentAgainAndTheReInviteFollowsItsACK() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = Phone(try cluster["a"])
        phone.recordRoutes = ["<sip:10.0.0.9:5060;lr>"]
        try phone.invite()
        let first = try #require(cluster["a"].responses(200, to: .invite).last?.message)
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        let again = try #require(bench.responses(200, to: .invite).last)
        #expect(again.message.to.tag == first.to.tag)
        #expect(again.message.values(of: .via) == first.values(of: .via))
        #expect(again.message.values(of: .recordRoute) == first.values(of: .recordRoute))
        #expect(again.message.bodyText == first.bodyText)
        #expect(again.flow.remote == Phone.flow.remote)
        #expect(bench.requestsSent(.invite).isEmpty)
        try phone.acknowledge()
        #expect(bench.requestsSent(.invite).count == 1)
        #expect(bench.call?.phase == .established)
        bench.advance(by: .seconds(1))
        #expect(bench.responses(200, to: .invite).count == 1, "acknowledged: not repeated")
    }

    /// The one that sent it again dies, too, before any ACK: the next one still knows the way back.
    @Test func unacknowledged200OutlivesTwoOwners() throws {
        let cluster = try Cluster(["a", "b", "c"])
        let phone = Phone(try cluster["a"])
        phone.recordRoutes = ["<sip:10.0.0.9:5060;lr>"]
        try phone.invite()
        let first = try #require(cluster["a"].responses(200, to: .invite).last?.message)
        try cluster.move(phone, from: "a", to: "b")
        try cluster.move(phone, from: "b", to: "c")
        let again = try #require(cluster["c"].responses(200, to: .invite).last)
        #expect(again.message.values(of: .via) == first.values(of: .via))
        #expect(again.message.values(of: .recordRoute) == first.values(of: .recordRoute))
        #expect(again.flow.remote == Phone.flow.remote)
    }

    /// "… or 500 ms": the ACK went to the dead center.
    @Test func reInviteFollowsAfter500MillisecondsWithoutACK() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).invite()
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        bench.advance(by: .milliseconds(499))
        #expect(bench.requestsSent(.invite).isEmpty)
        bench.advance(by: .milliseconds(1))
        #expect(bench.requestsSent(.invite).count == 1)
        try phone.answerInvite()
        let copies = bench.responses(200, to: .invite).count
        bench.advance(by: .seconds(40))
        #expect(bench.responses(200, to: .invite).count == copies, "who answers inside the dialog has the 200")
        #expect(bench.callCount == 1)
    }

    /// Died between the first checkpoint and the 200: the caller may have it, or not.
    @Test func callStoredButNotAnsweredGetsIts200() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = Phone(try cluster["a"])
        try cluster["a"].holdsBack = { if case .opening = $0 { true } else { false } }
        try phone.invite()
        #expect(try cluster["a"].responses(200).isEmpty)
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        #expect(bench.responses(200, to: .invite).count == 1)
        phone.toTag = bench.responses(200, to: .invite).last?.message.to.tag
        try phone.acknowledge()
        try phone.answerInvite()
        #expect(bench.call?.record.answered != nil)
        try phone.hangUp()
        #expect(cluster.store.records.map(\.end) == [.caller])
    }

    /// The menu said goodbye before the ACK came, and its center died: the caller does not hear it all again.
    @Test func callThatEndsWithItsACKEndsAtTheSurvivor() throws {
        let cluster = try Cluster(["a", "b"])
        let a = try cluster["a"]
        let phone = try Phone(a).invite()
        try a.press("2")
        try a.listen()
        for _ in 0..<4 {
            a.advance(by: .seconds(6))
            try a.listen()
        }
        try #require(a.call?.endingAtACK?.kind == .menu)
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        #expect(bench.responses(200, to: .invite).count == 1)
        #expect(bench.requestsSent(.bye).isEmpty, "not before the ACK (RFC 3261 §15)")
        #expect(!bench.media.contains { if case .play = $0.command { true } else { false } })
        try phone.acknowledge()
        #expect(bench.requestsSent(.bye).count == 1)
        #expect(bench.requestsSent(.invite).isEmpty)
        #expect(cluster.store.records.map(\.end) == [.menu])
        #expect(cluster.store.records.map(\.takeovers) == [1])
    }

    /// An INVITE without an offer: ours was in the 200, the answer comes in the ACK, to whichever center.
    @Test func answerInTheACKIsTakenByTheSurvivor() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).invite("")
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        #expect(bench.agreements.isEmpty)
        try phone.acknowledge(Phone.offer)
        #expect(bench.agreements.last?.remoteRTP == Endpoint("192.0.2.5:4000"))
        #expect(bench.requestsSent(.invite).count == 1)
        #expect(bench.call?.menu != nil)
    }

    /// A phone that holds is not waked up.
    @Test func callerOnHoldStaysOnHold() throws {
        let cluster = try Cluster(["a", "b"])
        let phone = try Phone(try cluster["a"]).establish()
        try phone.request("INVITE", body: Phone.sdp(direction: "sendonly", version: 2))
        try phone.acknowledge()
        try cluster.move(phone, from: "a", to: "b")
        let bench = try cluster["b"]
        let invite = try #require(bench.requestsSent(.invite).last?.message)
        #expect(invite.bodyText.contains("a=recvonly"))
        #expect(!invite.bodyText.contains("a=sendrecv"))
        try phone.answerInvite(200, body: Phone.sdp(direction: "sendonly", version: 3))
        #expect(bench.agreements.last?.direction == .recvonly)
    }

    /// Route set by role, from the checkpoint; "an empty one means straight to the remote target".
    @Test(arguments: [true, false])
    func reInviteGoesTheWayOfTheDialog(_ isRouted: Bool) throws {
        let cluster = try Cluster(["a", "b"])
        let phone = Phone(try cluster["a"])
        phone.recordRoutes = isRouted ? ["<sip:token@10.0.0.9:5060;lr>", "<sip:192.0.2.77:5070;lr>"] : []
        phone.contact = "<sip:alice@192.0.2.55:5099;ob>"
        try phone.establish()
        try cluster.move(phone, from: "a", to: "b")
        let invite = try #require(try cluster["b"].requestsSent(.invite).last)
        #expect(invite.message.routes.map(\.uri.host) == (isRouted ? ["10.0.0.9", "192.0.2.77"] : []))
        #expect(invite.flow.remote == Endpoint(isRouted ? "10.0.0.9:5060" : "192.0.2.55:5099"))
        #expect(invite.message.requestURI?.host == "192.0.2.55")
        #expect(invite.message.requestURI?.parameters[parameter: "ob"] != nil)
    }
}
