#if PostgreSQL
    import Banking
    import Foundation
    import Primitives
    import Session
    import Testing

    @testable import Store
    @testable import StorePostgres

    @Suite(
        .enabled(if: PostgresServer.isInstalled, "no PostgreSQL server of version 15 or newer is installed"),
        .timeLimit(.minutes(10)))
    struct PostgresStoreTests {
        let schema = PostgresServer.freshSchema()

        func store(_ server: PostgresServer, patience: PostgresPatience = .writer) -> PostgresStore {
            PostgresStore(url: server.url, schema: schema, limits: Pace.patientLimits, patience: patience)
        }

        /// Asks until the store is back; each answer takes as long as the store needs to try again.
        func askUntilBack(_ request: StoreRequest, _ store: PostgresStore) async -> StoreReply {
            var reply = StoreReply.refused("never asked")
            for _ in 0..<200 {
                reply = await store.submit(request)
                if reply.trouble == nil { return reply }
            }
            return reply
        }

        @Test func manyNodesMoveMoneyAtOnceAndNothingIsLost() async throws {
            let server = try PostgresServer.shared.get()
            let stores = (0..<4).map { _ in store(server) }
            _ = await stores[0].submit(.seed(try (1...4).map { try Given.opening($0, minor: 100_000) }))
            let done = await withTaskGroup(of: Int.self) { group in
                for (index, store) in stores.enumerated() {
                    for lane in 0..<3 {
                        group.addTask {
                            var done = 0
                            for n in 0..<20 {
                                // Each pair of accounts in both directions: transfers that would wait for each other.
                                let (from, to) = (index + 1, (index + 1 + lane) % 4 + 1)
                                guard
                                    let request = try? Given.transfer("op-\(index)-\(lane)-\(n)", from: from, to: to, 1)
                                else { continue }
                                if await store.submit(.bank(BankRequest(request))) == .bank(.done) { done += 1 }
                            }
                            return done
                        }
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(done == 240)
            #expect(await stores[3].submit(.transfers(limit: 999)).transfers.count == 240)
            #expect(await stores[2].submit(.audit).audit?.ok == true)
            for store in stores { await store.close() }
            #expect(stores[0].health.trouble?.kind == .closed)
        }

        @Test func noTwoNodesSpendTheSameMoneyNorTryThePINMoreOftenThanAllowed() async throws {
            let server = try PostgresServer.shared.get()
            let stores = (0..<4).map { _ in store(server) }
            _ = await stores[0].submit(.seed(try (1...2).map { try Given.opening($0, minor: 100) }))
            let replies = try await withThrowingTaskGroup(of: [StoreReply].self) { group in
                for (index, store) in stores.enumerated() {
                    group.addTask {
                        let transfer = try Given.transfer("op-\(index)", from: 1, to: 2, 100)
                        return [
                            await store.submit(.bank(BankRequest(transfer))),
                            await store.submit(try Given.login(2, "135790")),
                        ]
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(replies.count { $0 == .bank(.done) } == 1)
            #expect(replies.count { $0 == .bank(.refused(.insufficient)) } == 3)
            #expect(replies.count { $0 == .bank(.wrongPIN(remaining: 2)) } == 1)
            #expect(replies.count { $0 == .bank(.wrongPIN(remaining: 1)) } == 1)
            for store in stores { await store.close() }
        }

        @Test func whileTheServerIsAwayCallsGoOnAndMoneyIsNotAvailable() async throws {
            let server = try PostgresServer()
            let store = store(server)
            let node = try Given.node("center-a")
            _ = await store.submit(.seed([try Given.opening(1, minor: 1000), try Given.opening(2, minor: 0)]))
            #expect(await store.submit(.open(Given.write(Given.checkpoint(1), node))) == .done)
            #expect(store.health == StoreHealth())
            let transfer = StoreRequest.bank(BankRequest(try Given.transfer("op", from: 1, to: 2, 100)))

            try server.stop()
            #expect(await store.submit(transfer).trouble?.kind == .unreachable)
            let opened = Task { await store.submit(.open(Given.write(Given.checkpoint(2), node))) }
            for state in ["main", "login", "banking"] {
                store.submit(.checkpoint(Given.write(Given.checkpoint(1, state: state), node))) { _ in }
            }
            #expect(await store.submit(transfer).trouble?.kind == .unreachable)
            #expect(await store.submit(.liveCalls(limit: 9)).trouble?.kind == .unreachable)
            #expect(store.health.trouble?.kind == .unreachable)
            #expect(store.health.since != nil)
            // Coalesced: the newest checkpoint of one session, and the other's first.
            #expect(store.health.waiting <= 2)

            try server.start()
            #expect(await opened.value == .done)
            #expect(await askUntilBack(transfer, store) == .bank(.done))
            #expect(store.health.trouble == nil)
            #expect(store.health.dropped == 0)
            let session = await askUntilBack(.session(Given.session(1)), store)
            #expect(session.head?.checkpoint.menu?.state == "banking")
            #expect(await store.submit(.accounts(includingBank: false)).accounts.map(\.balanceMinor) == [900, 100])
            await store.close()
        }

        @Test func whatIsKeptWhileTheServerIsAwayIsBounded() async throws {
            let server = try PostgresServer()
            let store = PostgresStore(
                url: server.url, schema: schema, limits: WriteQueue.Limits(writes: 20, keptLongest: 30, batch: 10))
            let node = try Given.node("center-a")
            #expect(await store.submit(.bindPINKey(id: "k")) == .done)
            try server.stop()
            #expect(await store.submit(.bindPINKey(id: "k")).trouble?.kind == .unreachable)
            for seed in 1...45 {
                store.submit(.checkpoint(Given.write(Given.checkpoint(UInt64(seed)), node))) { _ in }
            }
            let ends = (1...35).map { seed in
                Given.checkpoint(UInt64(100 + seed)).record.closed(.caller, at: Given.start + .seconds(900))
            }
            let (replies, answered) = AsyncStream.makeStream(of: StoreReply.self)
            for record in ends { store.submit(.end(record, under: Ownership(node: node))) { answered.yield($0) } }
            // Twenty and then ten more are kept; up to ten are being tried at that moment and do not count.
            #expect((30...50).contains(store.health.dropped), "\(store.health.dropped)")
            try server.start()
            var seen: [StoreReply] = []
            for await reply in replies {
                seen.append(reply)
                if seen.count == ends.count { break }
            }
            let overloaded = seen.count { $0.trouble?.kind == .overloaded }
            #expect(overloaded >= 15)
            #expect(seen.count { $0 == .done } == seen.count - overloaded)
            #expect(await askUntilBack(.bindPINKey(id: "k"), store) == .done)
            #expect(store.health.trouble == nil)
            guard case .callRecords(let kept) = await askUntilBack(.callRecords(limit: 99, before: nil), store) else {
                return unexpectedReply()
            }
            #expect(Set(kept.map(\.id)) == Set(ends.prefix(ends.count - overloaded).map(\.id)))
            await store.close()
        }

        /// COMMIT waits for a standby that is not there; the client gives up; the standby's place is given up too.
        @Test func aConnectionLostInCommitIsAnUnknownOutcomeThatIsResolvedByItsID() async throws {
            let server = try PostgresServer(settings: ["synchronous_standby_names = ''"])
            let store = store(server, patience: PostgresPatience(answer: .seconds(2), commit: .milliseconds(400)))
            let node = try Given.node("center-a")
            _ = await store.submit(.seed([try Given.opening(1, minor: 1000), try Given.opening(2, minor: 0)]))
            #expect(await store.submit(.open(Given.write(Given.checkpoint(1), node))) == .done)
            let observer = try server.connect()
            try server.set("synchronous_standby_names = 'nobody'")
            while try observer.run("SHOW synchronous_standby_names").rows.first?.text(0) != "nobody" {}

            let id = try #require(OperationID("op"))
            let write = Given.write(
                Given.checkpoint(1, pending: PendingOperation(id: "op", phase: .executed)), node)
            let transfer = StoreRequest.bank(BankRequest(try Given.transfer("op", from: 1, to: 2, 100), under: write))
            #expect(await store.submit(transfer) == .bank(.unknown))
            #expect(store.health.trouble != nil)
            // While its transaction may still end either way there is no answer, and no second run.
            #expect(await store.submit(.bankResult(id)).trouble != nil)
            #expect(await store.submit(transfer) != .bank(.done))

            try server.set("synchronous_standby_names = ''")
            #expect(await askUntilBack(.bankResult(id), store) == .bankResult(.done))
            #expect(await askUntilBack(transfer, store) == .bank(.done))
            #expect(await store.submit(.accounts(includingBank: false)).accounts.map(\.balanceMinor) == [900, 100])
            #expect(await store.submit(.audit).audit?.ok == true)
            #expect(store.health.trouble == nil)
            await store.close()
        }

        @Test func aURLThatIsNoneIsReportedAtOnceAndForGood() async throws {
            let store = PostgresStore(url: "postgres://u:s3cret%zz@/x", schema: schema)
            #expect(store.health.trouble?.kind == .schema)
            #expect(await store.submit(.bindPINKey(id: "k")).trouble?.kind == .schema)
            #expect(await store.submit(.nodes).trouble?.kind == .schema)
            await store.close()
        }

        @Test func closingWritesWhatWaits() async throws {
            let server = try PostgresServer.shared.get()
            let store = store(server)
            let node = try Given.node("center-a")
            _ = await store.submit(.open(Given.write(Given.checkpoint(1), node)))
            store.submit(.checkpoint(Given.write(Given.checkpoint(1, state: "banking"), node))) { _ in }
            await store.close()
            #expect(await store.submit(.checkpoint(Given.write(Given.checkpoint(1), node))).trouble?.kind == .closed)
            #expect(await store.submit(.session(Given.session(1))).trouble?.kind == .closed)
            let next = self.store(server)
            #expect(await next.submit(.session(Given.session(1))).head?.checkpoint.menu?.state == "banking")
            await next.close()
        }
    }
#endif
