import ArgumentParser
import Foundation
import HTTPKit
import NodeRuntime
import Primitives
import Profiles

#if canImport(Glibc)
    import Glibc
#endif

/// Where a master is asked, and with which token.
struct MasterOptions: ParsableArguments {
    @OptionGroup var state: StateOption
    @Option(
        help: "A master's URL, as in http://127.0.0.1:8080; by default those of the state directory and the profiles.")
    var master: String?
    @Option(help: "Folder of the profiles that name the masters.") var profiles = "sip-profiles"

    /// The masters, first choice first.
    func client() throws -> MasterClient {
        // A profile that is broken now says nothing against the masters that run.
        let sound = FileManager.default.fileExists(atPath: profiles) ? ProfileFolder.soundItems(profiles) : []
        var known = Self.masters(sound)
        var endpoints: [Endpoint] = []
        if let master {
            guard let endpoint = Self.endpoint(master) else {
                throw CommandFailure.usage("--master: found \"\(master)\", expected http://ADDRESS:PORT")
            }
            endpoints = [endpoint]
            known = known.filter { Self.reachable($0.common.http) == endpoint }
        } else {
            // Those that were started with this state directory; before a first start, those of the profiles.
            endpoints = StateDirectory(state.directory).addresses(ofRole: "master").compactMap {
                Self.endpoint($0).map(Self.reachable)
            }
            if endpoints.isEmpty { known = Self.masters(try ProfileFolder.load(profiles).items) }
            for endpoint in known.map({ Self.reachable($0.common.http) }) where !endpoints.contains(endpoint) {
                endpoints.append(endpoint)
            }
            guard !endpoints.isEmpty else {
                throw CommandFailure.usage("\(profiles): no profile of role master; say which one by --master URL")
            }
        }
        let tokenPath = known.last?.tokenPath ?? "secrets/api-token"
        let path = tokenPath.hasPrefix("/") ? tokenPath : "\(state.directory)/\(tokenPath)"
        return MasterClient(endpoints: endpoints, token: try Self.token(path))
    }

    private static func masters(_ items: [ProfileSet.Item]) -> [MasterProfile] {
        items.compactMap { if case .master(let profile) = $0.profile { profile } else { nil } }
    }

    /// A wildcard address serves this machine too.
    static func reachable(_ endpoint: Endpoint) -> Endpoint {
        guard endpoint.address.isUnspecified else { return endpoint }
        return Endpoint(endpoint.address.isV6 ? .v6(0, 1) : .v4(0x7F00_0001), port: endpoint.port)
    }

    static func endpoint(_ text: String) -> Endpoint? {
        var rest = Substring(text)
        if rest.hasPrefix("http://") { rest = rest.dropFirst(7) }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        return Endpoint(String(rest).replacing("localhost", with: "127.0.0.1"))
    }

    private static func token(_ path: String) throws -> BearerToken {
        let text: String
        do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
            guard access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR else {
                throw CommandFailure.failed(
                    "\(path): \(fileReason(error)); run it as the user who owns the state directory")
            }
            throw CommandFailure.failed(
                "\(path): no API token there; a master makes it at its first start: run \"tandem up\", or name its folder by --state"
            )
        }
        guard let token = BearerToken(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw CommandFailure.failed("\(path): holds no API token; remove the file and start the master again")
        }
        return token
    }
}

/// Asks the masters, one after the other, until one answers.
struct MasterClient {
    let endpoints: [Endpoint]
    let token: BearerToken
    private let client = HTTPClient()

    init(endpoints: [Endpoint], token: BearerToken) {
        self.endpoints = endpoints
        self.token = token
    }

    func get<Value: Decodable>(_ type: Value.Type, _ path: String) async throws -> Value {
        let answer = try await send("GET", path)
        do throws(HTTPClientError) { return try answer.decode(type) } catch {
            throw CommandFailure.failed("\(path): \(error)")
        }
    }

    /// What a master answers with success; its own words where it refuses.
    @discardableResult
    func send(_ method: String, _ path: String) async throws -> HTTPClient.Answer {
        var problems: [String] = []
        var isAnswered = false
        for endpoint in endpoints {
            let answer: HTTPClient.Answer
            do throws(HTTPClientError) {
                answer = try await client.send(
                    method, to: endpoint, path: "/api/v1\(path)", token: token, body: method == "POST" ? [] : nil,
                    headers: [("Tandem-Operator", Self.operatorName)], within: .seconds(10))
            } catch {
                problems.append("http://\(endpoint): \(error)")
                continue
            }
            isAnswered = true
            switch answer.status {
            case 200..<300: return answer
            case 401:
                throw CommandFailure.failed(
                    "http://\(endpoint): does not accept the token; name the state directory of that master by --state")
            case 404 where !Self.names(path):
                throw CommandFailure.failed(
                    "http://\(endpoint): no master's API there; name the HTTP port of a master by --master")
            // Another master may lead, or see the store.
            case 503: problems.append("http://\(endpoint): \(answer.refusal)")
            default: throw CommandFailure.failed(answer.refusal.description)
            }
        }
        if !isAnswered { problems.append("no master answers; is the system running (tandem up)?") }
        throw CommandFailure(lines: [problems.joined(separator: "; ")], status: 1)
    }

    /// Whether the path says which node, call or record is meant, which may not be there; every master has the lists.
    private static func names(_ path: String) -> Bool {
        path.contains("before=") || path.split(separator: "?")[0].split(separator: "/").count > 1
    }

    /// For the audit: who gave an order.
    private static var operatorName: String {
        // Not what the environment says: under cron or systemd it says nothing.
        let user = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "uid-\(getuid())"
        return "\(user)@\(ProcessInfo.processInfo.hostName)"
    }
}

/// Encodes one part of a path.
func pathPart(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~"))) ?? ""
}
