import Primitives
import Testing

@testable import SIP

private struct Note: TransactionRecord {
    var text: String
    static var vacant: Note { Note(text: "") }
}

@Suite struct TransactionTableTests {
    /// Keys with one hash are told apart, and leave one by one from any place of their chain.
    @Test func equalHashesNeverMix() throws {
        var table = TransactionTable<Note>(limit: 10)
        var slots: [UInt32] = []
        for name in ["a", "b", "c"] {
            let slot = table.insert(Note(text: name), hash: 5)
            slots.append(try #require(slot))
        }
        func find(_ name: String) -> UInt32? { table.find(5) { $0.text == name } }
        #expect(["a", "b", "c"].map(find) == slots)
        table.remove(slots[1])
        #expect(find("b") == nil)
        #expect(find("a") == slots[0])
        #expect(find("c") == slots[2])
        table.remove(slots[2])
        #expect(find("a") == slots[0])
        table.remove(slots[0])
        #expect(table.count == 0)
    }

    @Test func growingKeepsEveryRecord() throws {
        var table = TransactionTable<Note>(limit: 5_000)
        var random = SeededRandom(seed: 1)
        var kept: [(UInt64, String)] = []
        for index in 0..<3_000 {
            let hash = random.next()
            let inserted = table.insert(Note(text: "\(index)"), hash: hash)
            let slot = try #require(inserted)
            if index % 3 == 0 { table.remove(slot) } else { kept.append((hash, "\(index)")) }
        }
        #expect(table.count == kept.count)
        #expect(kept.allSatisfy { hash, text in table.find(hash) { $0.text == text } != nil })
    }

    @Test func slotsAreUsedAgainUnderANewGeneration() throws {
        var table = TransactionTable<Note>(limit: 1)
        let inserted = table.insert(Note(text: "a"), hash: 1)
        let first = try #require(inserted)
        let generation = table.generation(of: first)
        let refused = table.insert(Note(text: "b"), hash: 2)
        #expect(refused == nil)
        table.remove(first)
        #expect(!table.isLive(slot: first, generation: generation))
        let second = table.insert(Note(text: "b"), hash: 2)
        #expect(second == first)
        #expect(!table.isLive(slot: first, generation: generation))
        #expect(!table.isLive(slot: 99, generation: 1))
    }
}

@Suite struct TransactionClockTests {
    @Test func timersFireInOrderOfDeadlineThenOfSetting() {
        var clock = TransactionClock()
        var live: Set<UInt32> = []
        let key = TransactionTimer.inviteServer(.g)
        let long = clock.schedule(key, of: 1, after: .seconds(2), now: .zero)
        let short = clock.schedule(key, of: 2, after: .seconds(1), now: .zero + .seconds(1))
        let tied = clock.schedule(key, of: 3, after: .seconds(2), now: .zero)
        live = [long, short, tied]
        var order: [UInt32] = []
        while let entry = clock.first(where: { live.contains($0.ticket) }) {
            order.append(entry.slot)
            live.remove(entry.ticket)
        }
        #expect(order == [1, 2, 3], "the third was set while the clock stood at 1 s")
        let rest = clock.first { live.contains($0.ticket) }
        #expect(rest == nil)
    }

    @Test func cancelledTimersAreForgotten() {
        var clock = TransactionClock()
        let key = TransactionTimer.nonInviteClient(.e)
        let gone = (0..<5_000).map { _ in clock.schedule(key, of: 1, after: .seconds(1), now: .zero) }
        let kept = clock.schedule(key, of: 2, after: .seconds(1), now: .zero)
        let found = clock.first { $0.ticket == kept }
        #expect(found?.slot == 2)
        #expect(Set(gone).count == 5_000)
    }

    /// Retransmissions are called for when they are due, ends of transactions up to a tenth of a second later.
    @Test func onlyLongTimersAreCalledForInGroups() {
        var clock = TransactionClock()
        _ = clock.schedule(.nonInviteClient(.k), of: 0, after: .seconds(5), now: .zero)
        #expect(clock.first { _ in true }?.deadline == .zero + .seconds(5))
        #expect(clock.wakeUp { _ in true } == .zero + .milliseconds(5_100))
        _ = clock.schedule(.nonInviteClient(.e), of: 1, after: .milliseconds(500), now: .zero + .seconds(4))
        #expect(clock.wakeUp { _ in true } == .zero + .milliseconds(4_500))
        #expect(clock.wakeUp { _ in false } == nil)
    }
}
