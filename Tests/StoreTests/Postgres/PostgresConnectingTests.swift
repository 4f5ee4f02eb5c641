#if PostgreSQL
    import Foundation
    import Primitives
    import Session
    import Synchronization
    import Testing

    @testable import Store
    @testable import StorePostgres

    /// Names, hosts and TLS: the way to a connection.
    @Suite(
        .enabled(if: PostgresServer.isInstalled, "no PostgreSQL server of version 15 or newer is installed"),
        .timeLimit(.minutes(10)))
    struct PostgresConnectingTests {
        let schema = PostgresServer.freshSchema()

        func open(
            _ url: String, hosts: PostgresHosts? = nil, names: PostgresNames = .shared
        ) throws(StoreTrouble) -> (engine: PostgresEngine, host: Int) {
            let (engine, host) = try PostgresEngine.open(
                try PostgresAddress(url: url), hosts: hosts, names: names, schema: schema, rules: .standard)
            return (engine, host)
        }

        func trouble(_ url: String, names: PostgresNames = .shared) -> StoreTrouble? {
            do throws(StoreTrouble) {
                _ = try open(url, names: names)
                return nil
            } catch {
                return error
            }
        }

        /// A resolver as of a machine whose name servers are cut off, once it has answered so often.
        final class Names: Sendable {
            private let left: Mutex<Int>
            private let gate = DispatchSemaphore(value: 0)
            let addresses: [String]

            init(_ addresses: [String], answers: Int) {
                self.addresses = addresses
                left = Mutex(answers)
            }

            var names: PostgresNames {
                PostgresNames { [self] _ in
                    let answers = left.withLock { left in
                        left -= 1
                        return left >= 0
                    }
                    if !answers { gate.wait() }
                    return addresses
                }
            }

            /// Lets those go who wait.
            func end() { for _ in 0..<8 { gate.signal() } }
        }

        @Test func silentNameServersHoldNobodyUp() throws {
            let port = try PostgresServer.shared.get().port
            let resolver = Names([], answers: 0)
            defer { resolver.end() }
            let names = resolver.names
            let start = ContinuousClock.now
            let found = try open("postgres://tandem@db.invalid,127.0.0.1:\(port)/postgres?port=1,\(port)", names: names)
            #expect(found.host == 1)
            let alone = try #require(trouble("postgres://tandem:s3cret@db.invalid:\(port)/postgres", names: names))
            #expect(alone.kind == .unreachable)
            #expect(alone.detail.contains("no name server answers"))
            #expect(ContinuousClock.now - start < .seconds(8))
        }

        @Test func whereNameServersFallSilentTheLastAddressesAreUsed() throws {
            let port = try PostgresServer.shared.get().port
            let resolver = Names(["127.0.0.1"], answers: 1)
            defer { resolver.end() }
            let names = resolver.names
            let url = "postgres://tandem@db.invalid:\(port)/postgres"
            for _ in 0..<2 { _ = try open(url, names: names) }
        }

        @Test func eachAddressOfANameIsTried() throws {
            let port = try PostgresServer.shared.get().port
            // Nobody listens at the first.
            let resolver = Names(["127.0.0.77", "127.0.0.1"], answers: .max)
            _ = try open("postgres://tandem@db.invalid:\(port)/postgres", names: resolver.names)
            let none = Names([], answers: .max)
            let unknown = try #require(trouble("postgres://tandem@db.invalid:\(port)/postgres", names: none.names))
            #expect(unknown.detail.contains("the name has no address"))
        }

        /// A listener that accepts and says nothing, as a frozen server does.
        @Test func aSilentHostCostsItsHeadStartAndThenIsNotTheFirstAnyMore() throws {
            let port = try PostgresServer.shared.get().port
            let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(silent) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(silent, $0, length) == 0 && listen(silent, 8) == 0 && getsockname(silent, $0, &length) == 0
                }
            }
            #expect(bound)
            let deaf = UInt16(bigEndian: address.sin_port)
            let hosts = PostgresHosts(count: 2)
            let found = try open("postgres://tandem@127.0.0.1:\(deaf),127.0.0.1:\(port)/postgres", hosts: hosts)
            #expect(found.host == 1)
            #expect(hosts.preferred == 1)
            let alone = try #require(trouble("postgres://tandem@127.0.0.1:\(deaf)/postgres"))
            #expect(alone.detail.contains("does not answer"))
        }

        @Test func whoIsSilentIsTriedLastByAllConnectionsOfANode() {
            let hosts = PostgresHosts(count: 3)
            hosts.noteSilence(of: 0)
            #expect(hosts.preferred == 1)
            // Another connection's late discovery of the same.
            hosts.noteSilence(of: 0)
            #expect(hosts.preferred == 1)
            hosts.noteWritable(2)
            hosts.noteSilence(of: 2)
            #expect(hosts.preferred == 0)
        }

        @Test func theKernelWatchesConnectionsUnlessTheURLSaysOtherwise() throws {
            func parameters(_ url: String) throws -> [String: String] {
                let address = try PostgresAddress(url: url)
                return Dictionary(
                    address.parameters(for: address.hosts[0]).map { ($0.keyword, $0.value) }, uniquingKeysWith: { $1 })
            }
            let usual = try parameters("postgres://tandem@db-1/bank")
            #expect(usual["tcp_user_timeout"] == "1500")
            #expect(usual["keepalives_idle"] == "2")
            let own = try parameters("postgres://tandem@db-1/bank?tcp_user_timeout=9000&keepalives=0")
            #expect(own["tcp_user_timeout"] == "9000")
            #expect(own["keepalives"] == "0")
        }

        /// The URL's TLS settings are libpq's own, and the certificate is compared with the name in the URL.
        @Test(.enabled(if: PostgresServer.hasOpenSSL, "openssl is not installed: no test of TLS"))
        func tlsAsTheURLAsksForIt() throws {
            let server = try PostgresServer()
            let plain = try #require(trouble(server.url + "?sslmode=require"))
            #expect(plain.kind == .denied, "\(plain)")
            try server.enableTLS(for: "db-1.bank.example")
            let names = Names(["127.0.0.1"], answers: .max).names
            func url(_ host: String, _ settings: String) -> String {
                "postgres://tandem@\(host):\(server.port)/postgres?\(settings)"
            }
            // The server reads its settings anew in its own time.
            var engine: PostgresEngine?
            let deadline = ContinuousClock.now + .seconds(30)
            while engine == nil, ContinuousClock.now < deadline {
                engine = try? open(server.url + "?sslmode=require").engine
            }
            let root = "sslrootcert=\(server.certificate)"
            let verified = try open(url("db-1.bank.example", "sslmode=verify-full&\(root)"), names: names).engine
            for engine in [try #require(engine), verified] {
                try engine.holding { connection in
                    let row = try connection.run("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").rows.first
                    #expect(try row?.boolean(0) == true)
                }
            }
            #expect(trouble(server.url + "?sslmode=verify-ca&\(root)") == nil)
            let wrongName = try #require(trouble(url("db-2.bank.example", "sslmode=verify-full&\(root)"), names: names))
            #expect(wrongName.kind == .denied, "\(wrongName)")
            let unknown = try #require(trouble(server.url + "?sslmode=verify-ca&sslrootcert=/nowhere"))
            #expect(unknown.kind == .denied, "\(unknown)")
        }
    }
#endif
