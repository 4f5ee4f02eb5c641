#if PostgreSQL
    import Banking
    import Foundation
    import Primitives
    import Session
    import Testing

    @testable import Store
    @testable import StorePostgres

    @Suite(.enabled(if: PostgresServer.isInstalled, "no PostgreSQL server of version 15 or newer is installed"))
    struct PostgresEngineTests {
        let schema = PostgresServer.freshSchema()

        func engine(_ time: PostgresEngine.Time = .caller) throws -> PostgresEngine {
            try PostgresServer.engine(schema: schema, time: time)
        }

        func ask(_ request: StoreRequest, _ engine: PostgresEngine, at wall: WallTime = Given.start) -> StoreReply {
            do {
                let replies = try engine.perform([request]) {
                    StoreTime(wall: wall, sinceBoot: .zero, bootID: "boot")
                }
                return replies.first ?? .refused("no reply")
            } catch {
                return .unavailable(error)
            }
        }

        /// Another client of the server, which the store's settings do not bind.
        func stranger() throws -> PostgresConnection {
            let connection = try PostgresServer.shared.get().connect()
            _ = try connection.run("SELECT set_config('search_path', '\(schema)', false)")
            return connection
        }

        func trouble(_ url: String) -> StoreTrouble? {
            do throws(StoreTrouble) {
                _ = try PostgresEngine.open(try PostgresAddress(url: url), schema: schema, rules: .standard)
                return nil
            } catch {
                return error
            }
        }

        // MARK: Batches

        @Test func aBatchAnswersEachRequestAsIfItWereAlone() throws {
            let store = try engine()
            let node = try Given.node("center-a")
            let dead = try Given.node("center-x")
            #expect(ask(.fence(dead, under: nil), store) == .done)
            #expect(ask(.open(Given.write(Given.checkpoint(1), node)), store) == .done)
            let entry = TimelineEntry(at: Given.start, kind: .state, detail: "a")
            let large = Given.checkpoint(7, state: String(repeating: "x", count: Checkpoint.sizeLimit))
            let batch: [StoreRequest] = [
                .open(Given.write(Given.checkpoint(2), node)), .open(Given.write(Given.checkpoint(3), dead)),
                .checkpoint(Given.write(Given.checkpoint(1, state: "main"), node)),
                .checkpoint(Given.write(Given.checkpoint(4), node)),
                .appendTimeline(Given.session(1), [entry]), .heartbeat(node), .heartbeat(dead),
                .open(Given.write(large, node)), .open(Given.write(Given.checkpoint(1), try Given.node("center-b"))),
                .checkpoint(Given.write(Given.checkpoint(2, state: "a"), node)),
                .checkpoint(Given.write(Given.checkpoint(2, state: "b"), node)),
                .appendTimeline(Given.session(1), [entry]), .bindPINKey(id: "k"),
            ]
            let replies = try store.perform(batch) { StoreTime(wall: Given.start, sinceBoot: .zero, bootID: "") }
            let expected: [StoreReply] = [
                .done, .fenced, .done, .notOwner, .done, .notFound, .fenced, replies[7], .notOwner, .done, .done, .done,
                .done,
            ]
            #expect(replies == expected)
            guard case .refused = replies[7] else { return unexpectedReply("\(replies[7])") }
            #expect(ask(.session(Given.session(1)), store).head?.checkpoint.menu?.state == "main")
            #expect(ask(.session(Given.session(2)), store).head?.checkpoint.menu?.state == "b")
            guard case .call(let detail) = ask(.call(Given.session(1)), store) else { return unexpectedReply() }
            #expect(detail.timeline == [entry, entry])
        }

        /// PostgreSQL keeps no NUL in a text. One request that cannot be kept takes no other with it.
        @Test func oneRequestThatCannotBeKeptSpoilsNoOther() throws {
            let store = try engine()
            let node = try Given.node("center-a")
            let replies = try store.perform([
                .open(Given.write(Given.checkpoint(1), node)),
                .open(Given.write(Given.checkpoint(2, state: "a\u{0}b"), node)),
                .open(Given.write(Given.checkpoint(3), node)), .bindPINKey(id: "k"),
            ]) { StoreTime(wall: Given.start, sinceBoot: .zero, bootID: "") }
            #expect(replies[0] == .done)
            guard case .refused = replies[1] else { return unexpectedReply("\(replies[1])") }
            #expect(replies[2...] == [.done, .done])
            #expect(ask(.session(Given.session(1)), store).head != nil)
            #expect(ask(.session(Given.session(2)), store) == .sessions([]))
        }

        @Test func checkpointsDoNotWaitForTheDiskAndMoneyDoes() throws {
            let store = try engine()
            let node = try Given.node("center-a")
            _ = ask(.seed([try Given.opening(1, minor: 1000), try Given.opening(2, minor: 0)]), store)
            let observer = try stranger()
            func setting() throws -> String? {
                try observer.run("SELECT string_agg(seen, ',' ORDER BY place) FROM seen").rows.first?.textIfAny(0)
            }
            // Rows tell under which setting they were written.
            _ = try observer.run("CREATE TABLE seen (place BIGSERIAL, seen TEXT)")
            _ = try observer.run(
                """
                CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO seen (seen) VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$
                """)
            for table in ["timeline", "operations", "sessions", "fences"] {
                _ = try observer.run(
                    "CREATE TRIGGER see AFTER INSERT ON \(table) FOR EACH STATEMENT EXECUTE FUNCTION see()")
            }
            let entry = TimelineEntry(at: Given.start, kind: .state, detail: "a")
            #expect(ask(.appendTimeline(Given.session(1), [entry]), store) == .done)
            #expect(try setting() == "off")
            #expect(ask(.bank(BankRequest(try Given.transfer("op", from: 1, to: 2, 1))), store) == .bank(.done))
            #expect(try setting() == "off,on")
            #expect(ask(.open(Given.write(Given.checkpoint(1), node)), store) == .done)
            #expect(ask(.fence(node, under: nil), store) == .done)
            #expect(try setting() == "off,on,on,on")
        }

        /// TAKEOVER.md: a batch is one statement, so that hundreds of calls are taken over within a second and a half.
        @Test func manyClaimsChangeTheirRowsInOneStatement() throws {
            let store = try engine()
            let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
            let seeds = (1...200).map { UInt64($0) }
            let opened = try store.perform(seeds.map { .open(Given.write(Given.checkpoint($0), old)) }) {
                StoreTime(wall: Given.start, sinceBoot: .zero, bootID: "")
            }
            #expect(opened.allSatisfy { $0 == .done })
            #expect(ask(.fence(old, under: nil), store) == .done)
            let observer = try stranger()
            _ = try observer.run("CREATE TABLE changes (place BIGSERIAL)")
            _ = try observer.run(
                """
                CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO changes DEFAULT VALUES; RETURN NULL; END $$
                """)
            _ = try observer.run(
                "CREATE TRIGGER count_change AFTER UPDATE ON sessions FOR EACH STATEMENT EXECUTE FUNCTION count_change()"
            )
            // One that this release cannot read: it is refused, and its row left to a node that can.
            _ = try observer.run(
                "UPDATE sessions SET checkpoint = $1 WHERE id = $2",
                [.bytes(Array(#"{"v":99}"#.utf8)), .text(Given.session(7))])
            _ = try observer.run("TRUNCATE changes")
            let replies = try store.perform(
                seeds.map { .claim(Given.session($0), from: Ownership(node: old), by: new, ground: .fenced) }
            ) { StoreTime(wall: Given.start, sinceBoot: .zero, bootID: "") }
            let won = replies.count { if case .claimed = $0 { true } else { false } }
            #expect(won == 199)
            guard case .refused(let why) = replies[6] else { return unexpectedReply("\(replies[6])") }
            #expect(why.contains("format 99"))
            #expect(try observer.run("SELECT 1 FROM changes").rows.count == 1)
            let owners = try observer.run("SELECT owner_name, epoch FROM sessions GROUP BY 1, 2 ORDER BY 1").rows
            #expect(try owners.map { try $0.text(0) } == ["center-a", "center-b"])
            #expect(try owners.map { try $0.integer(1) } == [1, 2])
        }

        // MARK: Locks

        @Test func aClaimWaitsForTheMoneyOfTheOwnerBefore() async throws {
            let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
            let store = try engine()
            _ = ask(.open(Given.write(Given.checkpoint(1), old)), store)
            _ = ask(.fence(old, under: nil), store)
            let money = try stranger()
            // As a transaction that is still under way.
            _ = try money.run("BEGIN")
            _ = try money.run("SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE", [.text(Given.session(1))])
            let claim = StoreRequest.claim(Given.session(1), from: Ownership(node: old), by: new, ground: .fenced)
            #expect(ask(claim, store).trouble?.kind == .locked)
            _ = try money.run("COMMIT")
            guard case .claimed = ask(claim, store) else { return unexpectedReply() }
        }

        /// TAKEOVER.md: a frozen client must not keep row locks.
        @Test func aFrozenClientKeepsNoLocks() throws {
            let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
            let store = try engine()
            _ = ask(.open(Given.write(Given.checkpoint(1), old)), store)
            _ = ask(.fence(old, under: nil), store)
            let frozen = try engine()
            try frozen.beginAndHold(Given.session(1))
            let claim = StoreRequest.claim(Given.session(1), from: Ownership(node: old), by: new, ground: .fenced)
            var reply = ask(claim, store)
            for _ in 0..<3 where reply.trouble != nil { reply = ask(claim, store) }
            guard case .claimed = reply else { return unexpectedReply("\(reply)") }
            #expect(ask(.bindPINKey(id: "k"), frozen).trouble?.kind == .unreachable)
        }

        @Test func anAnswerAboutAnOperationWaitsForTheTransactionThatRunsIt() throws {
            let store = try engine()
            let id = try #require(OperationID("op"))
            let running = try stranger()
            _ = try running.run("BEGIN")
            let keys = PostgresLocks.keys([.bankResult(id)])
            let spaces = [Int32](repeating: PostgresLocks.space(of: schema), count: keys.count)
            _ = try running.run(PostgresLocks.lockKeys, [.smalls(spaces), .smalls(keys)])
            #expect(ask(.bankResult(id), store).trouble?.kind == .locked)
            _ = try running.run("ROLLBACK")
            #expect(ask(.bankResult(id), store) == .bankResult(nil))
        }

        // MARK: Time

        @Test func leasesRunByTheDatabasesClock() throws {
            let (first, second) = (try engine(.server), try engine(.server))
            let (a, b) = (try Given.node("master-a"), try Given.node("master-b"))
            func acquire(_ holder: NodeIdentity, _ engine: PostgresEngine, _ span: Duration) -> Lease? {
                let reply = ask(.acquireLease(name: "leader", holder: holder, duration: span), engine, at: .epoch)
                if case .lease(let lease) = reply { return lease } else { return nil }
            }
            #expect(acquire(a, first, .seconds(3600))?.term.holder == a)
            let seen = try #require(acquire(b, second, .seconds(3600)))
            #expect(seen.term.holder == a)
            #expect(seen.remaining < .seconds(3600) && seen.remaining > .seconds(3000))
            #expect(acquire(a, first, .milliseconds(1))?.term.epoch == 1)
            var lease = acquire(b, second, .seconds(3600))
            for _ in 0..<1000 where lease?.term.holder != b { lease = acquire(b, second, .seconds(3600)) }
            #expect(lease?.term == LeaderTerm(lease: "leader", holder: b, epoch: 2))
        }

        // MARK: Schema

        @Test func aNewerMajorSchemaIsRefusedAndANewerMinorUsed() throws {
            _ = try engine()
            let other = try stranger()
            let url = try PostgresServer.shared.get().url
            _ = try other.run("UPDATE schema_version SET minor = 99")
            #expect(trouble(url) == nil)
            #expect(try other.run("SELECT minor FROM schema_version").rows.first?.integer(0) == 99)
            _ = try other.run("UPDATE schema_version SET major = 2, minor = 0")
            let refused = try #require(trouble(url))
            #expect(refused.kind == .schema)
            #expect(refused.detail.contains("2.0"))
        }

        @Test func manyNodesMakeTheSchemaAtOnce() async throws {
            try await withThrowingTaskGroup(of: StoreReply.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let engine = try engine()
                        return ask(.identity, engine)
                    }
                }
                var seen: Set<String> = []
                for try await case .identity(let identity) in group { seen.insert(identity.id) }
                #expect(seen.count == 1)
            }
        }

        // MARK: Places

        @Test func placesThatHaveNoStoreAreNamedWithoutTheirPassword() throws {
            let port = try PostgresServer.shared.get().port
            let cases: [(String, StoreTrouble.Kind)] = [
                ("postgres://tandem:s3cret@127.0.0.1:1/bank", .unreachable),
                ("postgres://tandem:s3cret@127.0.0.1:\(port)/no-such-bank", .denied),
                ("postgres://nobody:s3cret@127.0.0.1:\(port)/postgres", .denied),
                ("postgres://tandem:s3cret%zz@127.0.0.1/bank", .schema),
                ("postgres://tandem:s3cret@127.0.0.1:1,127.0.0.1:2/bank?port=3,4,5", .schema),
            ]
            for (url, kind) in cases {
                let found = try #require(trouble(url))
                #expect(found.kind == kind, "\(found)")
                #expect(!found.description.contains("s3cret"))
            }
        }

        @Test func theFirstHostThatTakesWritesIsUsed() throws {
            let port = try PostgresServer.shared.get().port
            let address = try PostgresAddress(url: "postgres://tandem@127.0.0.1:1,127.0.0.1:\(port)/postgres")
            let (_, host) = try PostgresEngine.open(address, schema: schema, rules: .standard)
            #expect(host == 1)
            let reader = try PostgresAddress(
                url: "postgres://tandem@127.0.0.1:\(port)/postgres?options=-cdefault_transaction_read_only%3Don")
            #expect(throws: StoreTrouble.self) { try PostgresEngine.open(reader, schema: schema, rules: .standard) }
        }
    }

    extension PostgresEngine {
        /// As a process that is stopped in the middle of a transaction.
        func beginAndHold(_ session: SessionID) throws {
            try holding { connection in
                _ = try connection.run("BEGIN")
                _ = try connection.run("SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE", [.text(session)])
            }
        }
    }
#endif
