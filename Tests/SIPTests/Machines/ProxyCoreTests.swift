import Primitives
import Testing

@testable import SIP

@Suite struct ProxyCoreTests {
    private let core = ProxyCore(
        own: [.init(host: "10.0.0.1", port: 5060), .init(host: "Access.Example", port: 5060)], supported: ["sec-agree"],
        random: SeededRandom(seed: 9))

    /// §16.3 step 3.
    @Test func lastHopIsRefused() throws {
        let request = try Sample.message(
            """
            INVITE sip:95533@10.0.0.1 SIP/2.0
            Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1
            Max-Forwards: 0
            From: <sip:a@b>;tag=1
            To: <sip:95533@10.0.0.1>
            Call-ID: x
            CSeq: 1 INVITE
            Content-Length: 0
            """)
        #expect(core.validate(request) == Rejection(483))
    }

    /// §16.3 step 5: 420 with Unsupported.
    @Test func unknownProxyRequireIsRefused() throws {
        let request = try Sample.request("INVITE", more: "Proxy-Require: Sec-Agree, foo\nProxy-Require: bar")
        #expect(core.validate(request) == Rejection(420, headers: [(.unsupported, "foo, bar")]))
        #expect(core.validate(try Sample.request("INVITE", more: "Proxy-Require: sec-agree")) == nil)
    }

    /// §16.3 step 4, RFC 5393 §4.2: the same request back is a loop, one for another target a spiral.
    @Test func loopsAreFoundAndSpiralsPass() throws {
        var core = core
        let request = try Sample.request("INVITE")
        func forwarded(_ uri: URI?) throws -> Message {
            let edit = ForwardingEdit(
                via: Via(transport: .udp, host: "10.0.0.1", port: 5060, branch: core.branch(for: request)),
                requestURI: uri)
            return try Sample.parse(edit.apply(to: request))
        }
        #expect(core.validate(try forwarded(nil)) == Rejection(482))
        #expect(core.validate(try forwarded(URI(user: "9196", host: "10.0.0.1"))) == nil)
        let branches = [core.branch(for: request), core.branch(for: request)]
        #expect(branches[0] != branches[1])
    }

    /// §16.11: a stateless branch is the same for the same request again.
    @Test func statelessBranchIsStable() throws {
        let ack = try Sample.request("ACK", branch: "z9hG4bKa", toTag: "b")
        #expect(core.statelessBranch(for: ack) == core.statelessBranch(for: ack))
        let other = try Sample.request("ACK", branch: "z9hG4bKb", toTag: "b")
        #expect(core.statelessBranch(for: ack) != core.statelessBranch(for: other))
        #expect(core.statelessBranch(for: ack).hasPrefix(Via.magicCookie))
    }

    @Test func ownAddressesAreKnownByNameAndPort() {
        #expect(core.isOwn(URI(host: "10.0.0.1")))
        #expect(core.isOwn(URI(host: "ACCESS.example", port: 5060)))
        #expect(!core.isOwn(URI(host: "10.0.0.1", port: 5070)))
        #expect(!core.isOwn(URI(scheme: .sips, host: "10.0.0.1")))
        #expect(!core.isOwn(URI(scheme: .tel, host: "10.0.0.1")))
    }

    /// §16.4: "If the first value in the Route header field indicates this proxy, the proxy MUST remove that value".
    @Test func ownRouteIsTakenOff() throws {
        let request = try Sample.request(
            "BYE", uri: "sip:10.0.0.16:5081", toTag: "b",
            more: "Route: <sip:10.0.0.1;lr;t=abc>, <sip:10.0.0.9;lr>")
        let route = try #require(core.route(request))
        #expect(route.nextHop.host == "10.0.0.9")
        #expect(route.ownRoutes.first?.parameters[parameter: "t"]?.value == "abc")
        var edit = ForwardingEdit(via: nil)
        route.apply(to: &edit, of: request)
        let forwarded = try Sample.parse(edit.apply(to: request))
        #expect(forwarded.routes.map(\.uri.host) == ["10.0.0.9"])
        #expect(forwarded.requestURI?.host == "10.0.0.16")
    }

    /// RFC 5658: two Routes of ours where the transport changes.
    @Test func bothOwnRoutesAreTakenOff() throws {
        let request = try Sample.request(
            "BYE", uri: "sip:10.0.0.16:5081", toTag: "b",
            more: "Route: <sip:10.0.0.1;lr>\nRoute: <sip:access.example;transport=tcp;lr>")
        let route = try #require(core.route(request))
        #expect(route.nextHop.host == "10.0.0.16")
        var edit = ForwardingEdit(via: nil)
        route.apply(to: &edit, of: request)
        #expect(try Sample.parse(edit.apply(to: request)).routes.isEmpty)
    }

    /// §16.4: what a strict router did to the Request-URI is undone.
    @Test func strictRoutersChangeIsUndone() throws {
        let request = try Sample.request(
            "BYE", uri: "sip:10.0.0.1:5060;lr", toTag: "b", more: "Route: <sip:10.0.0.9;lr>, <sip:bob@10.0.0.16:5081>")
        let route = try #require(core.route(request))
        #expect(route.requestURI == URI(user: "bob", host: "10.0.0.16", port: 5081))
        var edit = ForwardingEdit(via: nil)
        route.apply(to: &edit, of: request)
        let forwarded = try Sample.parse(edit.apply(to: request))
        #expect(forwarded.requestURI?.user == "bob")
        #expect(forwarded.routes.map(\.uri.host) == ["10.0.0.9"])
    }

    /// §16.6 step 6: a strict router next gets its own URI in the Request-URI and the target as the last Route.
    @Test func strictRouterNextGetsItsWay() throws {
        let request = try Sample.request(
            "BYE", uri: "sip:bob@10.0.0.16:5081", toTag: "b", more: "Route: <sip:10.0.0.1;lr>, <sip:10.0.0.9>")
        let route = try #require(core.route(request))
        var edit = ForwardingEdit(via: nil)
        route.apply(to: &edit, of: request)
        let forwarded = try Sample.parse(edit.apply(to: request))
        #expect(forwarded.requestURI?.host == "10.0.0.9")
        #expect(forwarded.routes.map(\.uri.user) == ["bob"])
        #expect(route.nextHop.host == "10.0.0.9")
    }

    @Test func lineAtOurOwnAddressIsNoStrictRouting() throws {
        let route = try #require(core.route(try Sample.request("INVITE", more: "Route: <sip:10.0.0.1;lr>")))
        #expect(route.requestURI.user == "95533")
        #expect(route.routes.isEmpty)
    }

    /// §13.2.2.4: the ACK has the INVITE's number, and nothing follows it.
    @Test func lateAnswerInsideADialogIsAcknowledgedOnly() throws {
        var core = core
        let invite = try Sample.request(
            "INVITE", via: "10.0.0.1:5060", toTag: "b1", cseq: 4, more: "Record-Route: <sip:10.0.0.1;lr>")
        let answer = try Sample.response(to: invite, 200, contact: "<sip:10.0.0.16:5081>")
        let bytes = core.acknowledgement(ofLateAnswer: answer, transport: .udp)
        let ack = try Sample.parse(try #require(bytes))
        #expect(ack.cseq == CSeq(4, .ack))
        #expect(ack.to.tag == "b1" && ack.from.tag == "a1")
        #expect(ack.requestURI?.host == "10.0.0.16")
        #expect(ack.routes.isEmpty, "our own Record-Route is no hop for us")
        #expect(ack.via.map(\.host) == ["10.0.0.1"])
        #expect(ack.via.first?.branch != invite.via.first?.branch)
        let withoutContact = core.acknowledgement(
            ofLateAnswer: try Sample.response(to: invite, 200), transport: .udp)
        #expect(withoutContact == nil)
    }

    @Test func recordRouteIsLooseAndKnownAgain() {
        let value = ProxyCore.recordRoute(.init(host: "10.0.0.1", port: 5060), transport: .tcp, token: "k1")
        #expect(value.description == "<sip:10.0.0.1:5060;transport=tcp;lr;t=k1>")
        #expect(core.isOwn(value.uri))
    }
}
