import Primitives
import Testing

@testable import SIP

@Suite struct UserAgentCoreTests {
    private let core = UserAgentCore(
        allow: [.invite, .ack, .cancel, .bye, .options], supported: ["timer", "100rel"],
        accept: ["application/sdp", "application/dtmf-relay"], schemes: [.sip, .tel])

    /// §8.2.1: 405 with Allow; §21.5.2: 501 for a method that nobody knows.
    @Test func methodsAreChecked() throws {
        let allow = (HeaderName.allow, "INVITE, ACK, CANCEL, BYE, OPTIONS")
        #expect(core.check(try Sample.request("BYE", toTag: "t")) == .proceed)
        #expect(core.check(try Sample.request("REFER")) == .reject(Rejection(405, headers: [allow])))
        #expect(core.check(try Sample.request("JUMP")) == .reject(Rejection(501, headers: [allow])))
    }

    /// §8.2.2.1.
    @Test func schemesAreChecked() throws {
        #expect(core.check(try Sample.request("INVITE", uri: "sips:95533@10.0.0.1")) == .reject(Rejection(416)))
    }

    /// §8.2.2.3: all option tags that are not understood are named; CANCEL's Require is ignored.
    @Test func requireIsChecked() throws {
        #expect(
            core.check(try Sample.request("INVITE", more: "Require: 100rel, foo\nRequire: bar"))
                == .reject(Rejection(420, headers: [(.unsupported, "foo, bar")])))
        #expect(core.check(try Sample.request("INVITE", more: "Require: TIMER")) == .proceed)
        #expect(core.check(try Sample.request("CANCEL", more: "Require: foo")) == .proceed)
    }

    /// §8.2.3: 415 with what would be accepted; an optional body is ignored.
    @Test func bodiesAreChecked() throws {
        func invite(_ headers: String) throws -> Message {
            try Sample.message(
                """
                INVITE sip:95533@10.0.0.1 SIP/2.0
                Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1
                Max-Forwards: 70
                From: <sip:a@b>;tag=1
                To: <sip:95533@10.0.0.1>
                Call-ID: x
                CSeq: 1 INVITE
                \(headers)
                Content-Length: 5

                hello
                """)
        }
        #expect(core.check(try invite("Content-Type: Application/SDP;charset=utf-8")) == .proceed)
        #expect(
            core.check(try invite("Content-Type: text/plain"))
                == .reject(Rejection(415, headers: [(.accept, "application/sdp, application/dtmf-relay")])))
        #expect(
            core.check(try invite("Content-Type: application/sdp\nContent-Encoding: gzip"))
                == .reject(Rejection(415, headers: [(.acceptEncoding, "identity")])))
        #expect(
            core.check(try invite("Content-Type: text/plain\nContent-Disposition: render; handling=optional"))
                == .proceed)
    }

    @Test func nodeTagsAreMadeAndRead() throws {
        var random = SeededRandom(seed: 1)
        let tag = try #require(NodeTag(node: "center-a", incarnation: "k3f9x2", using: &random))
        #expect(tag.description.hasPrefix("center-a.k3f9x2."))
        #expect(NodeTag(tag.description) == tag)
        #expect(tag.node == "center-a")
        #expect(tag.incarnation == "k3f9x2")
        let bad = [
            "", "center-a", "center-a.k3f9x2", "Center.k3.00112233", "center_a.k3.00112233", "a.K3.00112233",
            "a.k3.0011223g", "a.k3.0011", "a..00112233", ".k.00112233", "a.b.c.00112233",
            String(repeating: "a", count: 64) + ".k.00112233",
        ]
        for text in bad { #expect(NodeTag(text) == nil, "\(text)") }
        #expect(NodeTag(node: "Bad Name", incarnation: "k", using: &random) == nil)
    }
}
