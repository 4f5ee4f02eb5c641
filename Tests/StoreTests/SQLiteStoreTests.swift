import Banking
import Foundation
import GRDB
import Primitives
import Session
import Testing

@testable import Store

#if canImport(Glibc)
    import Glibc
#endif

@Suite(.timeLimit(.minutes(10))) struct SQLiteStoreTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Asks until the store is back; each answer takes as long as the store needs to try again.
    func askUntilBack(_ request: StoreRequest, _ store: SQLiteStore) async -> StoreReply {
        var reply = StoreReply.refused("never asked")
        for _ in 0..<100 {
            reply = await store.submit(request)
            if reply.trouble == nil { return reply }
        }
        return reply
    }

    func lock(_ body: () async throws -> Void) async throws {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: scratch.file, configuration: configuration)
        try await other.writeWithoutTransaction { try $0.beginTransaction(.immediate) }
        do { try await body() } catch {
            try await other.writeWithoutTransaction { try $0.rollback() }
            throw error
        }
        try await other.writeWithoutTransaction { try $0.rollback() }
    }

    @Test func theDemoBankIsThereOnce() async throws {
        let store = SQLiteStore(path: scratch.file)
        let bank = LedgerBank(store: store, key: try Given.key())
        #expect(await bank.bindKey() == .done)
        for _ in 0..<2 { #expect(await DemoBank.seed(store, key: try Given.key()) == .done) }
        let accounts = await store.submit(.accounts(includingBank: false)).accounts
        #expect(accounts.count == 1000)
        #expect(accounts[6].customer == "10000007")
        #expect(accounts[6].balanceMinor == 1_000_700)
        let all = await store.submit(.accounts(includingBank: true)).accounts
        #expect(all.reduce(0) { $0 + $1.balanceMinor } == 0)
        #expect(await store.submit(.audit).audit?.ok == true)

        let customer = try Given.customer(7)
        let pin = try #require(SecretDigits("246810"))
        #expect(await bank.perform(BankOperation(customer: customer, .login(pin: pin))) == .ok)
        let id = try #require(OperationID("op"))
        let transfer = BankOperation(
            customer: customer, .transfer(id, payee: try Given.customer(8), amountMinor: 12_34))
        #expect(await bank.perform(transfer) == .done)
        #expect(await bank.result(of: id) == .done)
        #expect(await bank.result(of: try #require(OperationID("no"))) == nil)
        let weak = BankOperation(customer: customer, .changePIN(id, new: try #require(SecretDigits("111111"))))
        #expect(await bank.perform(weak) == .weak)
        let stranger = LedgerBank(store: store, key: try Given.key(9))
        #expect(await stranger.bindKey() == .wrongKey(expected: try Given.key().id))
        #expect(await stranger.perform(BankOperation(customer: customer, .login(pin: pin))) == .unavailable)
        #expect(await stranger.perform(transfer) == .unavailable)
        await store.close()
        #expect(await bank.perform(transfer) == .unavailable)
        #expect(store.health.trouble?.kind == .closed)
    }

    @Test func whileTheFileIsLockedCallsGoOnAndMoneyIsNotAvailable() async throws {
        let store = SQLiteStore(path: scratch.file)
        let bank = LedgerBank(store: store, key: try Given.key())
        #expect(await bank.bindKey() == .done)
        let node = try Given.node("center-a")
        _ = await store.submit(.seed([try Given.opening(1, minor: 1000), try Given.opening(2, minor: 0)]))
        #expect(await store.submit(.open(Given.write(Given.checkpoint(1), node))) == .done)
        let transfer = BankOperation(
            customer: try Given.customer(1),
            .transfer(try #require(OperationID("op")), payee: try Given.customer(2), amountMinor: 100))

        var late: Task<StoreReply, Never>?
        let dead = try Given.node("center-x")
        try await lock {
            // Asked during the lock, written after it.
            late = Task { await store.submit(.open(Given.write(Given.checkpoint(2), node))) }
            store.submit(.checkpoint(Given.write(Given.checkpoint(1, state: "main"), node))) { _ in }
            #expect(await bank.perform(transfer) == .unavailable)
            #expect(store.health.trouble?.kind == .locked)
            #expect(await store.submit(.fence(dead, under: nil)).trouble?.kind == .locked)
            store.submit(.checkpoint(Given.write(Given.checkpoint(1, state: "banking"), node))) { _ in }
            // Readers are not held up.
            #expect(await store.submit(.liveCalls(limit: 9)) != .liveCalls([]))
        }
        #expect(await late?.value == .done)
        #expect(await askUntilBack(.bindPINKey(id: try Given.key().id), store) == .done)
        #expect(store.health.trouble == nil)
        #expect(await store.submit(.session(Given.session(1))).head?.checkpoint.menu?.state == "banking")
        #expect(await store.submit(.accounts(includingBank: false)).accounts.map(\.balanceMinor) == [1000, 0])
        #expect(await bank.perform(transfer) == .done)
    }

    @Test func aMissingDirectoryIsReportedAndUsedOnceItIsThere() async throws {
        let directory = "\(scratch.directory)/later"
        let store = SQLiteStore(path: "\(directory)/tandem.sqlite")
        #expect(store.health.trouble?.kind == .missing)
        #expect(await store.submit(.bindPINKey(id: "k")).trouble?.kind == .missing)
        #expect(await store.submit(.liveCalls(limit: 1)).trouble?.kind == .missing)
        let opened = Task { await store.submit(.open(Given.write(Given.checkpoint(1), try Given.node("center-a")))) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        #expect(try await opened.value == .done)
        #expect(await askUntilBack(.bindPINKey(id: "k"), store) == .done)
        #expect(store.health == StoreHealth())
    }

    @Test func aFileThatIsNoDatabaseIsReportedAndLeftAlone() async throws {
        let garbage = Data(repeating: 0x41, count: 8192)
        try garbage.write(to: URL(fileURLWithPath: scratch.file))
        let store = SQLiteStore(path: scratch.file)
        #expect(store.health.trouble?.kind == .corrupt)
        #expect(await store.submit(.bindPINKey(id: "k")).trouble?.kind == .corrupt)
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.file)) == garbage)
        try FileManager.default.removeItem(atPath: scratch.file)
        #expect(await askUntilBack(.bindPINKey(id: "k"), store) == .done)
    }

    @Test func aFileDamagedUnderUseIsReportedNotTrapped() async throws {
        let store = SQLiteStore(path: scratch.file)
        #expect(await DemoBank.seed(store, key: try Given.key()) == .done)
        for suffix in ["", "-wal"] {
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: scratch.file + suffix))
            let size = Int(try file.seekToEnd())
            try file.seek(toOffset: 0)
            try file.write(contentsOf: Data(repeating: 0x5A, count: size))
            try file.close()
        }
        #expect(await store.submit(.audit).trouble?.kind == .corrupt)
        // Whoever finds it, the writer stops as well.
        let balance = LedgerRequest(customer: try Given.customer(1), .balance)
        #expect(await store.submit(.bank(BankRequest(balance))).trouble?.kind == .corrupt)
        #expect(store.health.trouble?.kind == .corrupt)
    }

    @Test func aRemovedFileIsNoticedAndNotReplacedByAnEmptyBank() async throws {
        let store = SQLiteStore(path: scratch.file)
        #expect(await store.submit(.bindPINKey(id: "k")) == .done)
        let kept = scratch.file + ".kept"
        for suffix in ["", "-wal", "-shm"] {
            try FileManager.default.moveItem(atPath: scratch.file + suffix, toPath: kept + suffix)
        }
        var reply = StoreReply.done
        // Until the next look at the file, which is due once a second.
        for _ in 0..<200_000 where reply.trouble == nil { reply = await store.submit(.bindPINKey(id: "k")) }
        #expect(reply.trouble?.kind == .missing)
        #expect(!FileManager.default.fileExists(atPath: scratch.file))
        for suffix in ["-wal", "-shm", ""] where FileManager.default.fileExists(atPath: kept + suffix) {
            try FileManager.default.moveItem(atPath: kept + suffix, toPath: scratch.file + suffix)
        }
        #expect(await askUntilBack(.bindPINKey(id: "other"), store) == .wrongKey(expected: "k"))
    }

    /// Needs a file system of its own to fill, and so the right to mount one.
    @Test func aFullDiskStopsMoneyNotTheProgramAndClearsByItself() async throws {
        let disk = "\(scratch.directory)/disk"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        guard mount("tmpfs", disk, "tmpfs", 0, "size=1m") == 0 else {
            print("note: no tmpfs can be mounted here, the full disk is not tested")
            return
        }
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let store = SQLiteStore(path: "\(disk)/tandem.sqlite")
        let node = try Given.node("center-a")
        let filler = "\(disk)/filler"
        #expect(
            await store.submit(.seed([try Given.opening(1, minor: 1000), try Given.opening(2, minor: 0)])) == .done)
        #expect(await store.submit(.open(Given.write(Given.checkpoint(1), node))) == .done)
        let file = open(filler, O_WRONLY | O_CREAT, 0o600)
        let block = [UInt8](repeating: 1, count: 4096)
        while write(file, block, block.count) > 0 {}
        close(file)

        var outcome: StoreReply = .done
        for n in 0..<50 where outcome.trouble == nil {
            outcome = await store.submit(.bank(BankRequest(try Given.transfer("op-\(n)", from: 1, to: 2, 1))))
        }
        #expect(outcome.trouble?.kind == .full)
        #expect(store.health.trouble?.kind == .full)
        store.submit(.checkpoint(Given.write(Given.checkpoint(1, state: "banking"), node))) { _ in }
        unlink(filler)
        #expect(await askUntilBack(.bindPINKey(id: "k"), store) == .done)
        #expect(store.health.trouble == nil)
        #expect(await store.submit(.session(Given.session(1))).head?.checkpoint.menu?.state == "banking")
        #expect(await store.submit(.audit).audit?.ok == true)
        await store.close()
    }

    @Test func closingWritesWhatWaits() async throws {
        let store = SQLiteStore(path: scratch.file)
        let node = try Given.node("center-a")
        _ = await store.submit(.open(Given.write(Given.checkpoint(1), node)))
        store.submit(.checkpoint(Given.write(Given.checkpoint(1, state: "banking"), node))) { _ in }
        await store.close()
        #expect(await store.submit(.checkpoint(Given.write(Given.checkpoint(1), node))).trouble?.kind == .closed)
        let next = SQLiteStore(path: scratch.file)
        #expect(await next.submit(.session(Given.session(1))).head?.checkpoint.menu?.state == "banking")
    }

    @Test func manyNodesWriteAtOnceAndNothingIsLost() async throws {
        let stores = (0..<4).map { [scratch] _ in SQLiteStore(path: scratch.file, limits: Pace.patientLimits) }
        _ = await stores[0].submit(.seed(try (1...4).map { try Given.opening($0, minor: 100_000) }))
        let done = await withTaskGroup(of: Int.self) { group in
            for (index, store) in stores.enumerated() {
                group.addTask {
                    var done = 0
                    for n in 0..<50 {
                        guard
                            let request = try? Given.transfer(
                                "op-\(index)-\(n)", from: index + 1, to: (index + 1) % 4 + 1, 1)
                        else { continue }
                        if await store.submit(.bank(BankRequest(request))) == .bank(.done) { done += 1 }
                    }
                    return done
                }
            }
            return await group.reduce(0, +)
        }
        #expect(done == 200)
        #expect(await stores[3].submit(.transfers(limit: 999)).transfers.count == 200)
        #expect(await stores[2].submit(.audit).audit?.ok == true)
        for store in stores { await store.close() }
    }
}
