import Foundation
import Primitives
import Testing

@testable import SIP

@Suite struct DialogTests {
    private let via = Via(transport: .udp, host: "10.0.0.16", port: 5081, branch: "z9hG4bKd")

    private func invite(_ more: String = "") throws -> Message {
        try Sample.request(
            "INVITE", cseq: 7,
            more: "Contact: <sip:alice@10.0.0.5:5062;x=1>\nRecord-Route: <sip:10.0.0.2;lr>, <sip:10.0.0.1;lr>" + more)
    }

    /// §12.1.1: route set in order, remote target from Contact, remote sequence number from CSeq.
    @Test func serverDialogIsMadeOfTheRequest() throws {
        let dialog = try #require(Dialog(asServerOf: try invite(), localTag: "center-a.k3.0011"))
        #expect(dialog.id == DialogID(callID: "call-1", localTag: "center-a.k3.0011", remoteTag: "a1"))
        #expect(dialog.routeSet.map(\.uri.host) == ["10.0.0.2", "10.0.0.1"])
        #expect(dialog.remoteTarget.user == "alice")
        #expect(dialog.remoteCSeq == 7)
        #expect(dialog.localCSeq == 0)
        #expect(!dialog.isSecure)
        #expect(Dialog(asServerOf: try Sample.request("INVITE"), localTag: "t") == nil, "no Contact, no dialog")
    }

    /// §12.1.2: the client's route set is the reverse.
    @Test func clientDialogIsMadeOfTheResponse() throws {
        let answer = try Sample.response(to: try invite(), 200, toTag: "b1", contact: "<sip:10.0.0.16:5081>")
        let dialog = try #require(Dialog(asClientOf: answer))
        #expect(dialog.id == DialogID(callID: "call-1", localTag: "a1", remoteTag: "b1"))
        #expect(dialog.routeSet.map(\.uri.host) == ["10.0.0.1", "10.0.0.2"])
        #expect(dialog.remoteTarget.host == "10.0.0.16")
        #expect(dialog.localCSeq == 7)
        #expect(dialog.localInviteCSeq == 7)
        #expect(Dialog(asClientOf: try Sample.response(to: try invite(), 100)) == nil)
    }

    /// §12.2.1.1 with a loose router first.
    @Test func requestFollowsTheRouteSet() throws {
        var dialog = try #require(Dialog(asServerOf: try invite(), localTag: "t1"))
        let made = dialog.request(.bye, via: via)
        let bye = try #require(made)
        let message = try Sample.parse(bye.bytes)
        #expect(message.requestURI == dialog.remoteTarget)
        #expect(message.routes.map(\.uri.host) == ["10.0.0.2", "10.0.0.1"])
        #expect(message.from.tag == "t1")
        #expect(message.to.tag == "a1")
        #expect(message.cseq == CSeq(1, .bye))
        #expect(bye.nextHop.host == "10.0.0.2")
        let info = dialog.request(.info, via: via)
        #expect(info?.cseq == CSeq(2, .info))
    }

    /// §12.2.1.1 with a strict router first: its URI becomes the Request-URI, the target the last Route.
    @Test func strictRouterIsRespected() throws {
        let request = try Sample.request(
            "INVITE",
            more: "Contact: <sip:alice@10.0.0.5>\nRecord-Route: <sip:10.0.0.2;method=INVITE>, <sip:10.0.0.1;lr>"
        )
        var dialog = try #require(Dialog(asServerOf: request, localTag: "t1"))
        let made = dialog.request(.bye, via: via)
        let bye = try #require(made)
        let message = try Sample.parse(bye.bytes)
        #expect(message.requestURI == URI(host: "10.0.0.2"))
        #expect(message.routes.map(\.uri.host) == ["10.0.0.1", "10.0.0.5"])
        #expect(bye.nextHop.host == "10.0.0.2")
    }

    @Test func emptyRouteSetGoesToTheTarget() throws {
        var dialog = try #require(
            Dialog(asServerOf: try Sample.request("INVITE", more: "Contact: <sip:alice@10.0.0.5:5062>"), localTag: "t"))
        let bye = dialog.request(.bye, via: via)
        #expect(bye?.nextHop.host == "10.0.0.5")
    }

    /// §13.2.2.4: "The sequence number of the CSeq header field MUST be the same as the INVITE being acknowledged".
    @Test func ackRepeatsTheInvitesNumber() throws {
        var dialog = try #require(Dialog(asServerOf: try invite(), localTag: "t1"))
        let made = dialog.request(.invite, via: via)
        let reinvite = try #require(made)
        _ = dialog.request(.info, via: via)
        #expect(dialog.localInviteCSeq == 1)
        let ack = dialog.acknowledgement(ofInvite: reinvite.cseq.number, via: via)
        #expect(try Sample.parse(ack.bytes).cseq == CSeq(1, .ack))
        #expect(dialog.localCSeq == 2, "an ACK uses up no number")
    }

    /// §12.2.2: lower is 500; equal or much higher is in order ("It is possible for the CSeq … to be higher by more
    /// than one. This is not an error condition").
    @Test func sequenceNumbersMustNotFall() throws {
        var dialog = try #require(Dialog(asServerOf: try invite(), localTag: "t1"))
        #expect(dialog.receive(try Sample.request("INFO", toTag: "t1", cseq: 6)) == .old)
        #expect(dialog.receive(try Sample.request("INFO", toTag: "t1", cseq: 90)) == .new)
        #expect(dialog.receive(try Sample.request("ACK", toTag: "t1", cseq: 7)) == .new)
        #expect(dialog.remoteCSeq == 90)
        #expect(dialog.receive(try Sample.request("BYE", toTag: "t1", cseq: 89)) == .old)
    }

    /// §12.2.1.1: "Requests within a dialog MUST contain strictly monotonically increasing and contiguous CSeq sequence
    /// numbers": the last number again is the last request again.
    @Test func equalSequenceNumberIsARepetition() throws {
        var dialog = try #require(Dialog(asServerOf: try invite(), localTag: "t1"))
        #expect(dialog.receive(try Sample.request("INFO", toTag: "t1", cseq: 6)) == .old)
        #expect(dialog.receive(try Sample.request("INFO", toTag: "t1", cseq: 9)) == .new)
        #expect(dialog.receive(try Sample.request("INFO", toTag: "t1", cseq: 9)) == .repeated)
        #expect(dialog.receive(try Sample.request("ACK", toTag: "t1", cseq: 7)) == .new, "it repeats its INVITE's")
        #expect(dialog.remoteCSeq == 9)
        #expect(dialog.receive(try Sample.request("BYE", toTag: "t1", cseq: 10)) == .new)
    }

    /// Our own INVITE says nothing of the other side's numbers (§12.1.2).
    @Test func firstSequenceNumberOfTheOtherSideIsNew() throws {
        let answer = try Sample.response(to: try invite(), 200, toTag: "b1", contact: "<sip:10.0.0.16:5081>")
        var dialog = try #require(Dialog(asClientOf: answer))
        #expect(dialog.receive(try Sample.request("BYE", toTag: "a1", cseq: 1)) == .new)
        #expect(dialog.remoteCSeq == 1)
    }

    /// §12.2.2: only target refresh requests replace the remote target.
    @Test func targetIsRefreshedByInviteOnly() throws {
        var dialog = try #require(Dialog(asServerOf: try invite(), localTag: "t1"))
        dialog.refreshTarget(from: try Sample.request("INFO", more: "Contact: <sip:evil@10.9.9.9>"))
        #expect(dialog.remoteTarget.host == "10.0.0.5")
        dialog.refreshTarget(from: try Sample.request("INVITE", more: "Contact: <sip:alice@10.0.0.6>"))
        #expect(dialog.remoteTarget.host == "10.0.0.6")
    }

    @Test func survivesACheckpoint() throws {
        var dialog = try #require(Dialog(asServerOf: try invite(), localTag: "t1"))
        _ = dialog.request(.invite, via: via)
        let again = try JSONDecoder().decode(Dialog.self, from: try JSONEncoder().encode(dialog))
        #expect(again == dialog)
    }

    @Test func takeoverSkipsNumbersAndStopsAtTheEnd() throws {
        var dialog = try #require(Dialog(asServerOf: try invite(), localTag: "t1"))
        dialog.skipCSeq(by: 1_000)
        let reinvite = dialog.request(.invite, via: via)
        #expect(reinvite?.cseq.number == 1_001)
        dialog.skipCSeq(by: .max)
        #expect(dialog.localCSeq == 0x7FFF_FFFF)
        let bye = dialog.request(.bye, via: via)
        #expect(bye == nil, "RFC 3261 §8.1.1.5: below 2**31")
    }

    @Test func requestsFindTheirDialog() throws {
        let request = try Sample.request("BYE", toTag: "t1")
        #expect(DialogID(ofReceived: request) == DialogID(callID: "call-1", localTag: "t1", remoteTag: "a1"))
        #expect(DialogID(ofReceived: try Sample.request("INVITE")) == nil)
    }

    /// §8.2.2.2: the same request on another path is merged: 482.
    @Test func mergedRequestIsNoticed() throws {
        var driver = LayerDriver()
        var merged = MergedRequests()
        let first = try Sample.request("INVITE")
        let second = try Sample.request("INVITE", branch: "z9hG4bKother")
        let firstID = try #require(driver.receive(first).serverID)
        let secondID = try #require(driver.receive(second).serverID)
        var verdicts: [Bool] = []
        verdicts.append(merged.admit(first, as: firstID))
        verdicts.append(merged.admit(second, as: secondID))
        #expect(verdicts == [true, false])
        merged.ended(secondID)
        verdicts.append(merged.admit(second, as: secondID))
        #expect(verdicts.last == false, "the first one still runs")
        merged.ended(firstID)
        verdicts.append(merged.admit(second, as: secondID))
        #expect(verdicts.last == true)
        verdicts.append(merged.admit(try Sample.request("INVITE", toTag: "x"), as: firstID))
        #expect(verdicts.last == true, "inside a dialog nothing merges")
        #expect(merged.count == 1)
    }
}
