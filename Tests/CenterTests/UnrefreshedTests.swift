import Media
import Primitives
import SIP
import Session
import Testing

@testable import Center

/// TAKEOVER.md, Signalling: "A session refresh that fails while RTP flows does not end the call; a maximum duration always
/// does."
@Suite struct UnrefreshedTests {
    private func call(
        refresher: String, hearsAudio: Bool
    ) throws -> (CenterBench, Phone) {
        let bench = try CenterBench()
        let phone = Phone(bench)
        try phone.establish(headers: [
            "Supported: timer", "Session-Expires: 600;refresher=\(refresher)", "Allow: INVITE, ACK, BYE, UPDATE",
        ])
        if hearsAudio {
            let audio = Endpoint(.v4(0xC000_0205), port: 4000)
            bench.handle(.media(try #require(bench.lastCall), .latched(audio)))
        }
        return (bench, phone)
    }

    @Test func refreshThatNobodyAnswersDoesNotEndACallWithAudio() throws {
        let (bench, _) = try call(refresher: "uas", hearsAudio: true)
        bench.advance(by: .seconds(340))
        #expect(bench.records.isEmpty)
        // It is tried again, and again.
        bench.advance(by: .seconds(1_000))
        #expect(bench.records.isEmpty)
        #expect(Set(bench.requestsSent(.update).map(\.message.cseq.number)).count > 5)
        #expect(bench.requestsSent(.bye).isEmpty)
    }

    @Test func callerWhoDoesNotRefreshButSpeaksGoesOn() throws {
        let (bench, _) = try call(refresher: "uac", hearsAudio: true)
        bench.advance(by: .seconds(2_000))
        #expect(bench.records.isEmpty)
        // From the first expiry on it is ours to refresh.
        #expect(!bench.requestsSent(.update).isEmpty)
    }

    @Test func refreshThatIsAnsweredLaterCounts() throws {
        let (bench, phone) = try call(refresher: "uas", hearsAudio: true)
        bench.advance(by: .seconds(345))
        try phone.answer(200, headers: ["Session-Expires: 600;refresher=uac"])
        bench.forgetSent()
        bench.advance(by: .seconds(299))
        #expect(bench.requestsSent(.update).isEmpty)
    }

    /// Without audio the refresh is all there is to go by.
    @Test(arguments: [false, true])
    func silentCallEndsWithItsSession(fellSilent: Bool) throws {
        let (bench, _) = try call(refresher: "uas", hearsAudio: fellSilent)
        if fellSilent { bench.handle(.media(try #require(bench.lastCall), .fellSilent)) }
        bench.advance(by: .seconds(340))
        #expect(bench.records.map(\.end) == [.lost])
    }

    @Test func audioThatCameBackCounts() throws {
        let (bench, _) = try call(refresher: "uas", hearsAudio: true)
        let call = try #require(bench.lastCall)
        bench.handle(.media(call, .fellSilent))
        bench.handle(.media(call, .heardAgain))
        bench.advance(by: .seconds(340))
        #expect(bench.records.isEmpty)
    }

    /// Who holds us need not send anything, so no time-out of the media plane tells of its end.
    @Test(arguments: ["sendonly", "inactive"])
    func callOnHoldEndsWithItsSession(_ direction: String) throws {
        let (bench, phone) = try call(refresher: "uac", hearsAudio: true)
        try phone.request(
            "INVITE", headers: ["Supported: timer", "Session-Expires: 600;refresher=uac"],
            body: Phone.sdp(direction: direction, version: 2))
        try phone.acknowledge()
        bench.advance(by: .seconds(600))
        #expect(bench.records.map(\.end) == [.lost])
    }

    /// The phone itself says that there is no such call.
    @Test func refreshAnsweredWith481EndsTheCallAllTheSame() throws {
        let (bench, phone) = try call(refresher: "uas", hearsAudio: true)
        bench.advance(by: .seconds(300))
        try phone.answer(481)
        #expect(bench.records.map(\.end) == [.caller])
    }

    @Test func longestTimeEndsACallWhateverIsHeard() throws {
        let (bench, _) = try call(refresher: "uas", hearsAudio: true)
        bench.advance(by: .seconds(7_201))
        #expect(bench.records.map(\.end) == [.limit])
    }
}
