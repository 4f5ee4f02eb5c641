import HTTPKit
import Logging
import NetworkIO
import Primitives
import Testing

@Suite(.timeLimit(.minutes(10)))
struct HTTPServiceTests {
    @Test func healthIs200WhileItCanServeAnd503Otherwise() async throws {
        let report = HealthReport(
            node: "center-a", role: "center", incarnation: "k3f9x2", degraded: ["the store is locked"])
        var broken = report
        broken.canServe = false
        for (report, status) in [(report, 200), (broken, 503)] {
            let server = try await WebServerFixture { $0.health { report } }
            let answer = try await server.send("GET", "/health")
            #expect(answer.status == status)
            #expect(try WebJSON.decode(HealthReport.self, from: answer.body) == report)
            #expect(answer.header("Content-Type") == "application/json; charset=utf-8")
            await server.service.stop()
        }
    }

    @Test func metricsAreText() async throws {
        let server = try await WebServerFixture { $0.metrics(contentType: "text/plain; version=0.0.4") { "a 1\n" } }
        let answer = try await server.send("GET", "/metrics")
        #expect(answer.status == 200)
        #expect(answer.text == "a 1\n")
        #expect(answer.header("content-type") == "text/plain; version=0.0.4")
        await server.service.stop()
    }

    @Test func unknownPathIs404InTheErrorShape() async throws {
        let server = try await WebServerFixture { _ in }
        let answer = try await server.send("GET", "/nothing")
        #expect(answer.status == 404)
        #expect(answer.text == #"{"error":{"code":"not-found","message":"there is no such resource"}}"#)
        await server.service.stop()
    }

    /// RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
    @Test func anotherMethodOfAKnownPathIs405AndSaysWhichAreAllowed() async throws {
        let server = try await WebServerFixture { routes in
            routes.get("/calls/{id}") { _ in .text("call") }
            routes.post("/nodes/{name}/drain") { _ in .text("drained") }
            routes.on(.put, "/calls/{id}") { _ in .text("put") }
        }
        let drain = try await server.send("GET", "/nodes/center-a/drain")
        #expect(drain.status == 405)
        #expect(drain.header("Allow") == "POST")
        #expect(
            drain.refusal
                == .refused(
                    status: 405, code: "method-not-allowed", message: "GET is not allowed here; allowed: POST"))
        let call = try await server.send("DELETE", "/calls/7")
        #expect(call.status == 405)
        #expect(call.header("Allow") == "GET, HEAD, PUT")
        #expect(try await server.send("GET", "/nodes/center-a").status == 404)
        #expect(try await server.send("GET", "/nodes/center-a/drain/x").status == 404)
        await server.service.stop()
    }

    @Test func failuresHaveTheErrorShape() async throws {
        struct Odd: Error {}
        let server = try await WebServerFixture { routes in
            routes.get("/busy") { _ in throw WebFailure.unavailable("later", retryAfter: 7) }
            routes.get("/odd") { _ in throw Odd() }
            routes.post("/drain/{node}") { request in
                throw WebFailure.conflict("\(try request.parameter("node")) is draining")
            }
        }
        let busy = try await server.send("GET", "/busy")
        #expect(busy.status == 503)
        #expect(busy.header("retry-after") == "7")
        #expect(busy.refusal == .refused(status: 503, code: "unavailable", message: "later"))
        let odd = try await server.send("GET", "/odd")
        #expect(odd.status == 500)
        #expect(!odd.text.contains("Odd"))
        let conflict = try await server.send("POST", "/drain/center-a")
        #expect(conflict.refusal == .refused(status: 409, code: "conflict", message: "center-a is draining"))
        await server.service.stop()
    }

    @Test func tokenIsAskedForAndCompared() async throws {
        let token = try #require(BearerToken("0123456789abcdef0123"))
        let other = try #require(BearerToken("0123456789abcdef0124"))
        let longer = try #require(BearerToken("0123456789abcdef01230123456789abcdef0123"))
        let server = try await WebServerFixture { $0.get("/api", token: token) { _ in .text("in") } }
        #expect(try await server.send("GET", "/api", token: token).text == "in")
        for wrong in [nil, other, longer] {
            let answer = try await server.send("GET", "/api", token: wrong)
            #expect(answer.status == 401)
            // RFC 9110 §15.5.2: a 401 says how to ask.
            #expect(answer.header("WWW-Authenticate") == "Bearer realm=\"tandem\"")
            #expect(
                answer.refusal == .refused(status: 401, code: "unauthorized", message: "a valid bearer token is needed")
            )
        }
        for header in ["Basic 0123456789abcdef0123", "Bearer", "Bearer ", "0123456789abcdef0123"] {
            let answer = try await server.send("GET", "/api", headers: [("Authorization", header)])
            #expect(answer.status == 401)
        }
        await server.service.stop()
    }

    @Test func pathAndQueryAreDecoded() async throws {
        let server = try await WebServerFixture { routes in
            routes.get("/calls/{id}") { request in
                let limit = try request.number("limit", in: 1...100) ?? 0
                return .text("\(try request.parameter("id"))|\(request.query("before") ?? "-")|\(limit)")
            }
        }
        #expect(try await server.send("GET", "/calls/a%20b?before=x%26y&limit=7").text == "a b|x&y|7")
        #expect(try await server.send("GET", "/calls/a").text == "a|-|0")
        for bad in ["0", "101", "x", "-1", "99999999999999999999"] {
            #expect(try await server.send("GET", "/calls/a?limit=\(bad)").status == 400)
        }
        await server.service.stop()
    }

    @Test func bodyIsDecodedAndItsLengthLimited() async throws {
        struct Order: Codable { var name: String }
        let server = try await WebServerFixture { routes in
            routes.post("/order") { request in .text(try request.decode(Order.self).name) }
        }
        #expect(try await server.send("POST", "/order", body: Array(#"{"name":"x"}"#.utf8)).text == "x")
        #expect(try await server.send("POST", "/order", body: Array("{".utf8)).status == 400)
        let long = [UInt8](repeating: 32, count: WebRoutes.bodyLimit + 1)
        #expect(try await server.send("POST", "/order", body: long).status == 413)
        await server.service.stop()
    }

    @Test func portInUseIsSaidPlainly() async throws {
        let server = try await WebServerFixture { _ in }
        let error = await #expect(throws: SocketError.self) {
            _ = try await HTTPService.start(
                at: server.service.endpoint, routes: WebRoutes(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
        #expect(error?.isAddressInUse == true)
        #expect(error?.description == "\(server.service.endpoint)/tcp: is in use by another process")
        await server.service.stop()
    }

    @Test func stoppedServiceFreesItsPort() async throws {
        // At an address of its own: the port is of those that other tests are given.
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let place = Endpoint(.v4(0x7F00_4D01), port: 0)
        let service = try await HTTPService.start(at: place, routes: WebRoutes(), logger: silent)
        await service.stop()
        let again = try await HTTPService.start(at: service.endpoint, routes: WebRoutes(), logger: silent)
        #expect(again.endpoint == service.endpoint)
        await again.stop()
    }
}
