#if PostgreSQL
    import Banking
    import Foundation
    import Primitives
    import Session
    import Synchronization
    import Testing

    @testable import Store
    @testable import StorePostgres

    /// Two real servers, the second a synchronous standby of the first. The first is killed under load, the second promoted.
    @Suite(
        .enabled(if: PostgresServer.isInstalled, "no PostgreSQL server of version 15 or newer is installed"),
        .timeLimit(.minutes(10)))
    struct PostgresFailoverTests {
        static let customers = 20
        static let opening: Int64 = 1_000_000

        /// What callers were told, from any thread.
        final class Told: Sendable {
            struct Transfer: Sendable {
                var from: Int
                var to: Int
                var amount: Int64
            }

            private struct State {
                var transfers: [String: Transfer] = [:]
                var done: Set<String> = []
                var not: Set<String> = []
                var unknown = 0
                var doneSinceKill = 0
                var killed = false
                var waiters: [(count: Int, CheckedContinuation<Void, Never>)] = []
            }

            private let state = Mutex(State())
            let isOver = Atomic<Bool>(false)

            func note(_ id: String, _ transfer: Transfer, done: Bool, wasUnknown: Bool) {
                let due: [CheckedContinuation<Void, Never>] = state.withLock { state in
                    state.transfers[id] = transfer
                    if wasUnknown { state.unknown += 1 }
                    if done { state.done.insert(id) } else { state.not.insert(id) }
                    guard done else { return [] }
                    state.doneSinceKill += 1
                    let due = state.waiters.filter { $0.count <= state.doneSinceKill }.map(\.1)
                    state.waiters.removeAll { $0.count <= state.doneSinceKill }
                    return due
                }
                for waiter in due { waiter.resume() }
            }

            /// Returns when so many more transfers have been done.
            func waitForDone(_ count: Int) async {
                await withCheckedContinuation { continuation in
                    state.withLock { state in
                        state.doneSinceKill = 0
                        state.waiters.append((count, continuation))
                    }
                }
            }

            var transfers: [String: Transfer] { state.withLock { $0.transfers } }
            var done: Set<String> { state.withLock { $0.done } }
            var not: Set<String> { state.withLock { $0.not } }
            var unknown: Int { state.withLock { $0.unknown } }
        }

        func store(_ primary: PostgresServer, _ standby: PostgresServer, _ schema: String) -> PostgresStore {
            PostgresStore(
                url: "postgres://tandem@127.0.0.1:\(primary.port),127.0.0.1:\(standby.port)/postgres", schema: schema)
        }

        /// Asks again while the store cannot be used.
        func insist(_ request: StoreRequest, _ store: PostgresStore) async -> StoreReply {
            while true {
                let reply = await store.submit(request)
                guard let kind = reply.trouble?.kind, kind != .closed else { return reply }
                // While nobody answers, questions are refused at once: whoever asks on and on takes the machine's time.
                // The suite's time limit is the deadline.
                try? await Task.sleep(for: .milliseconds(5))
            }
        }

        /// A caller who transfers again and again, and is told the truth about each.
        func transfer(_ lane: Int, _ node: NodeIdentity, _ store: PostgresStore, _ told: Told) async throws {
            var n = 0
            let session = UInt64(lane + 1)
            while !told.isOver.load(ordering: .relaxed) {
                n += 1
                let id = "op-\(lane)-\(n)"
                let transfer = Told.Transfer(
                    from: lane % Self.customers + 1, to: (lane + n) % Self.customers + 1, amount: Int64(n % 7 + 1))
                guard transfer.from != transfer.to else { continue }
                let request = try Given.transfer(id, from: transfer.from, to: transfer.to, transfer.amount)
                let write = Given.write(
                    Given.checkpoint(session, pending: PendingOperation(id: id, phase: .executed)), node)
                let reply = await store.submit(.bank(BankRequest(request, under: write)))
                switch reply {
                case .bank(.done): told.note(id, transfer, done: true, wasUnknown: false)
                case .bank(.unknown):
                    // Never a second run: it is asked for by its id.
                    let result = await insist(.bankResult(try #require(OperationID(id))), store)
                    told.note(id, transfer, done: result == .bankResult(.done), wasUnknown: true)
                default: told.note(id, transfer, done: false, wasUnknown: false)
                }
            }
        }

        /// The primary's host is cut off without a word: connections stay, nothing is refused, nothing is answered. Who
        /// asked before waits for no longer than the takeover has, and who asks later is not held up by them.
        @Test func aPrimaryThatFallsSilentHoldsNobodyUpOnceItsStandbyIsPromoted() async throws {
            let schema = PostgresServer.freshSchema()
            let primary = try PostgresServer()
            let standby = try PostgresServer(standbyOf: primary)
            let store = store(primary, standby, schema)
            let (dead, heir) = (try Given.node("center-x"), try Given.node("center-b"))
            for seed in 1...50 {
                #expect(await store.submit(.open(Given.write(Given.checkpoint(UInt64(seed)), dead))) == .done)
            }
            let observer = try primary.connect()
            let caughtUp = "SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
            while try observer.run(caughtUp).rows.isEmpty {}
            // Every connection is in use, as at a center at work, and one asks for what takes long.
            for request in [StoreRequest.sessionOwners(limit: 9), .nodes, .audit] { _ = await store.submit(request) }

            try primary.freeze()
            defer { try? primary.kill() }
            store.submit(.audit) { _ in }
            let start = ContinuousClock.now
            let asked = (0..<4).map { _ in Task { await store.submit(.sessionsOwned(by: dead, limit: 100)) } }
            store.submit(.heartbeat(heir)) { _ in }
            try standby.promote()
            let promoted = ContinuousClock.now
            for query in asked { _ = await query.value }
            #expect(ContinuousClock.now - start < Pace.time(.seconds(10)))
            guard case .sessionHeads(let heads) = await insist(.sessionsOwned(by: dead, limit: 100), store) else {
                return unexpectedReply()
            }
            let listed = ContinuousClock.now
            #expect(heads.count == 50)
            #expect(await insist(.fence(dead, under: nil), store) == .done)
            let claims = heads.map { head in
                Task { await insist(.claim(head.id, from: head.ownership, by: heir, ground: .fenced), store) }
            }
            for claim in claims {
                guard case .claimed = await claim.value else {
                    unexpectedReply()
                    continue
                }
            }
            let taken = ContinuousClock.now
            // Idle readers wait 1 s for the silent host, a writer in its COMMIT 3 s. The rest is for a loaded machine.
            #expect(listed - promoted < Pace.time(.seconds(6)))
            #expect(taken - promoted < Pace.time(.seconds(8)))
            print(
                "silent primary: sessions listed \(listed - promoted) after promotion, taken over \(taken - promoted)")
            await store.close()
        }

        @Test func nothingAcknowledgedIsLostAndNothingHappensTwiceWhenThePrimaryIsKilled() async throws {
            let schema = PostgresServer.freshSchema()
            let primary = try PostgresServer(settings: ["synchronous_standby_names = 'ANY 1 (standby)'"])
            // What a promoted standby does alone: documented degrade.
            let standby = try PostgresServer(settings: ["synchronous_standby_names = ''"], standbyOf: primary)
            let observer = try primary.connect()
            while try observer.run("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'quorum'").rows.isEmpty {}

            let stores = [store(primary, standby, schema), store(primary, standby, schema)]
            let nodes = [try Given.node("center-a"), try Given.node("center-b")]
            let customers = try (1...Self.customers).map { try Given.opening($0, minor: Self.opening) }
            #expect(await stores[0].submit(.seed(customers)) == .done)
            let lanes = 8
            for lane in 0..<lanes {
                let write = Given.write(Given.checkpoint(UInt64(lane + 1)), nodes[lane % 2])
                #expect(await stores[lane % 2].submit(.open(write)) == .done)
            }
            // Calls that end around the kill, and calls of a center that dies with the primary.
            let dead = try Given.node("center-x")
            let ending = (100..<140).map { UInt64($0) }
            let orphans = (200..<220).map { UInt64($0) }
            for seed in ending + orphans {
                let owner = seed < 200 ? nodes[0] : dead
                #expect(await stores[0].submit(.open(Given.write(Given.checkpoint(seed), owner))) == .done)
            }

            let told = Told()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<lanes {
                    group.addTask { try await transfer(lane, nodes[lane % 2], stores[lane % 2], told) }
                }
                await told.waitForDone(150)
                let (ended, answered) = AsyncStream.makeStream(of: StoreReply.self)
                for seed in ending {
                    let record = Given.checkpoint(seed).record.closed(.caller, at: Given.start + .seconds(900))
                    stores[0].submit(.end(record, under: Ownership(node: nodes[0]))) { answered.yield($0) }
                }
                try primary.kill()
                // The center's death is seen while there is no database at all.
                let fenced = Task { await insist(.fence(dead, under: nil), stores[1]) }
                let claims = orphans.map { seed in
                    Task {
                        #expect(await fenced.value == .done)
                        return await insist(
                            .claim(Given.session(seed), from: Ownership(node: dead), by: nodes[1], ground: .fenced),
                            stores[1])
                    }
                }
                try standby.promote()
                await told.waitForDone(150)
                var ends = 0
                for await reply in ended {
                    #expect(reply == .done || reply == .alreadyEnded)
                    ends += 1
                    if ends == ending.count { break }
                }
                for claim in claims {
                    guard case .claimed(let session) = await claim.value else {
                        unexpectedReply()
                        continue
                    }
                    #expect(session.ownership == Ownership(node: nodes[1], epoch: 2))
                }
                told.isOver.store(true, ordering: .relaxed)
                try await group.waitForAll()
            }

            // I2: what was told is what is there, exactly once.
            let rows = await insist(.transfers(limit: 100_000), stores[0]).transfers
            let kept = rows.filter { $0.result == "done" }.map(\.id)
            #expect(Set(kept).count == kept.count)
            #expect(Set(kept) == told.done)
            #expect(told.not.isDisjoint(with: kept))
            // I3: money is neither made nor lost, and lies where the acknowledged transfers put it.
            var expected = [Int64](repeating: Self.opening, count: Self.customers)
            for (id, transfer) in told.transfers where told.done.contains(id) {
                expected[transfer.from - 1] -= transfer.amount
                expected[transfer.to - 1] += transfer.amount
            }
            #expect(await insist(.accounts(includingBank: false), stores[0]).accounts.map(\.balanceMinor) == expected)
            let audit = try #require(await insist(.audit, stores[0]).audit)
            #expect(audit.ok && audit.totalMinor == 0, "\(audit)")
            // I5: one record a call that ended, and no call beside its record.
            guard case .callRecords(let records) = await insist(.callRecords(limit: 1000, before: nil), stores[0]),
                case .sessionHeads(let left) = await insist(.sessionsOwned(by: nodes[0], limit: 1000), stores[0]),
                case .sessionHeads(let taken) = await insist(.sessionsOwned(by: nodes[1], limit: 1000), stores[0])
            else { return unexpectedReply() }
            #expect(records.map(\.id).sorted() == ending.map(Given.session).sorted())
            #expect(left.count == lanes / 2)
            #expect(taken.count == lanes / 2 + orphans.count)
            print(
                "failover: \(told.done.count) transfers acknowledged, \(told.unknown) of unknown outcome resolved by id, "
                    + "\(told.not.count) told as not done")
            for store in stores { await store.close() }
        }
    }
#endif
