import Primitives
import Session
import Synchronization
import Testing

@testable import Store

@Suite struct WriteQueueTests {
    let replies = Replies()

    final class Replies: Sendable {
        private let kept = Mutex<[StoreReply]>([])
        func add(_ reply: StoreReply) { kept.withLock { $0.append(reply) } }
        var all: [StoreReply] { kept.withLock { $0 } }
    }

    func at(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    func add(_ request: StoreRequest, to queue: inout WriteQueue, at milliseconds: Int64 = 0) {
        if let due = queue.add(request, at: at(milliseconds), { [replies] in replies.add($0) }) {
            due.completion(due.reply)
        }
    }

    func checkpoint(_ seed: UInt64, _ state: String = "main", epoch: Int64 = 1) throws -> StoreRequest {
        .checkpoint(Given.write(Given.checkpoint(seed, state: state), try Given.node("center-a"), epoch: epoch))
    }

    func heartbeat() throws -> StoreRequest { .heartbeat(try Given.node("center-a")) }

    @Test func checkpointsWaitTenMillisecondsForCompany() throws {
        var queue = WriteQueue()
        #expect(queue.nextBatch == nil)
        add(try checkpoint(1), to: &queue, at: 100)
        add(try checkpoint(2), to: &queue, at: 105)
        #expect(queue.nextBatch == at(110))
    }

    @Test func anAwaitedRequestTakesEverythingWithItAtOnce() throws {
        var queue = WriteQueue()
        add(try checkpoint(1), to: &queue, at: 100)
        add(.bindPINKey(id: "k"), to: &queue, at: 101)
        #expect(queue.nextBatch == .zero)
        #expect(queue.takeBatch().map(\.item.request) == [try checkpoint(1), .bindPINKey(id: "k")])
        #expect(queue.putBack([]).isEmpty)
        #expect(queue.nextBatch == nil)
    }

    @Test func onlyTheNewestCheckpointOfASessionIsWritten() throws {
        var queue = WriteQueue()
        for state in ["a", "b", "c"] { add(try checkpoint(1, state), to: &queue) }
        add(try checkpoint(2), to: &queue)
        #expect(replies.all == [.superseded, .superseded])
        #expect(queue.takeBatch().map(\.item.request) == [try checkpoint(1, "c"), try checkpoint(2)])
    }

    @Test func aCheckpointNeverMovesAcrossAnotherWriteOfItsSession() throws {
        var queue = WriteQueue()
        let record = Given.checkpoint(1).record.closed(.caller, at: Given.start + .seconds(9))
        let end = StoreRequest.end(record, under: Ownership(node: try Given.node("center-a")))
        add(try checkpoint(1, "a"), to: &queue)
        add(end, to: &queue)
        add(try checkpoint(1, "b"), to: &queue)
        add(try checkpoint(1, "c"), to: &queue)
        #expect(queue.takeBatch().map(\.item.request) == [try checkpoint(1, "a"), end, try checkpoint(1, "c")])
    }

    @Test func checkpointsOfTwoEpochsAreNotOne() throws {
        var queue = WriteQueue()
        add(try checkpoint(1, "a"), to: &queue)
        add(try checkpoint(1, "b", epoch: 2), to: &queue)
        #expect(queue.count == 2)
    }

    @Test func whatFailedGoesBackToItsPlace() throws {
        var queue = WriteQueue()
        add(try checkpoint(1, "a"), to: &queue)
        add(try checkpoint(2, "a"), to: &queue)
        let batch = queue.takeBatch()
        add(try checkpoint(3, "a"), to: &queue)
        #expect(queue.putBack(batch).isEmpty)
        add(try checkpoint(1, "b"), to: &queue)
        #expect(replies.all == [.superseded])
        #expect(
            queue.takeBatch().map(\.item.request) == [
                try checkpoint(1, "b"), try checkpoint(2, "a"), try checkpoint(3, "a"),
            ])
    }

    @Test func aNewerCheckpointReplacesOneThatFailedMeanwhile() throws {
        var queue = WriteQueue()
        add(try checkpoint(1, "a"), to: &queue)
        let batch = queue.takeBatch()
        add(try checkpoint(1, "b"), to: &queue)
        #expect(queue.putBack(batch).map(\.reply) == [.superseded])
        #expect(queue.takeBatch().map(\.item.request) == [try checkpoint(1, "b")])
    }

    @Test func anOutageOfAnyLengthKeepsOneCheckpointASession() throws {
        var queue = WriteQueue()
        let node = try Given.node("center-a")
        for seed in 1...20 { add(.open(Given.write(Given.checkpoint(UInt64(seed)), node)), to: &queue) }
        for round in 0..<50 {
            let batch = queue.takeBatch()
            for seed in 1...20 { add(try checkpoint(UInt64(seed), "r\(round)"), to: &queue) }
            _ = queue.putBack(batch)
        }
        #expect(queue.count == 40)
        let requests = queue.takeBatch().map(\.item.request)
        #expect(requests.suffix(20) == (try (1...20).map { try checkpoint(UInt64($0), "r49") })[...])
    }

    @Test func moneyIsAnsweredAndTheRestKeptWhenTheStoreIsAway() throws {
        var queue = WriteQueue()
        add(try checkpoint(1), to: &queue)
        add(.bankResult(try #require(.init("op"))), to: &queue)
        let trouble = StoreTrouble(.full, "no space left")
        let due = queue.giveUp(because: trouble, at: at(0))
        #expect(due.map(\.reply) == [.unavailable(trouble)])
        #expect(queue.count == 1)
        #expect(queue.takeBatch().map(\.item.request) == [try checkpoint(1)])
    }

    @Test func aLockIsWaitedForWithinReason() throws {
        var queue = WriteQueue()
        let locked = StoreTrouble(.locked, "")
        add(.fence(try Given.node("center-a"), under: nil), to: &queue)
        add(.bindPINKey(id: "k"), to: &queue)
        #expect(queue.giveUp(because: locked, at: at(99)).isEmpty)
        #expect(queue.giveUp(because: locked, at: at(100)).count == 1)
        #expect(queue.giveUp(because: locked, at: at(999)).isEmpty)
        #expect(queue.giveUp(because: locked, at: at(1000)).count == 1)
        #expect(queue.nextBatch == nil)
    }

    @Test func theQueueIsBoundedAndSaysSo() throws {
        var queue = WriteQueue(limits: WriteQueue.Limits(writes: 3, keptLongest: 4, batch: 2))
        for _ in 0..<5 { add(try heartbeat(), to: &queue) }
        #expect(replies.all.map(\.trouble?.kind) == [.overloaded, .overloaded])
        #expect(queue.dropped == 2)
        let node = try Given.node("center-a")
        add(.open(Given.write(Given.checkpoint(1), node)), to: &queue)
        add(.open(Given.write(Given.checkpoint(2), node)), to: &queue)
        #expect(queue.count == 4)
        #expect(queue.dropped == 3)
        #expect(queue.takeBatch().count == 2)
    }

    @Test func aCheckpointThatFailedStaysBeforeAWriteThatFailedWithIt() throws {
        var queue = WriteQueue()
        let mark = StoreRequest.markCallerEnded(Given.session(1), at: Given.start)
        add(try checkpoint(1, "a"), to: &queue)
        add(mark, to: &queue)
        let batch = queue.takeBatch()
        add(try checkpoint(1, "b"), to: &queue)
        #expect(queue.putBack(batch).isEmpty)
        #expect(queue.takeBatch().map(\.item.request) == [try checkpoint(1, "a"), mark, try checkpoint(1, "b")])
    }

    /// A heartbeat is kept for as long as the store is away, and everything that is given up meanwhile came after it.
    @Test func whatIsGivenUpBehindAKeptWriteLeavesNothingBehind() throws {
        var queue = WriteQueue()
        add(try heartbeat(), to: &queue)
        let question = StoreRequest.bankResult(try #require(.init("op")))
        for _ in 0..<50 {
            for _ in 0..<500 { add(question, to: &queue) }
            #expect(queue.giveUp(because: StoreTrouble(.full, ""), at: at(0)).count == 500)
        }
        #expect(queue.count == 1)
        #expect(queue.places <= 1 + WriteQueue.holeLimit)
        #expect(queue.takeBatch().map(\.item.request) == [try heartbeat()])
    }

    @Test func aNewerCheckpointFindsTheOneThatMovedUp() throws {
        var queue = WriteQueue()
        add(try heartbeat(), to: &queue)
        let question = StoreRequest.bankResult(try #require(.init("op")))
        for _ in 0...WriteQueue.holeLimit { add(question, to: &queue) }
        add(try checkpoint(1, "a"), to: &queue)
        _ = queue.giveUp(because: StoreTrouble(.full, ""), at: at(0))
        #expect(queue.places == 2)
        add(try checkpoint(1, "b"), to: &queue)
        #expect(queue.takeBatch().map(\.item.request) == [try heartbeat(), try checkpoint(1, "b")])
    }

    @Test func whatIsAnsweredLeavesNothingBehind() throws {
        var queue = WriteQueue()
        for round in 0..<5000 {
            add(try heartbeat(), to: &queue, at: Int64(round))
            #expect(queue.nextBatch == at(Int64(round) + 10))
            #expect(queue.takeBatch().count == 1)
            _ = queue.putBack([])
        }
        #expect(queue.count == 0)
        #expect(queue.abandon(because: StoreTrouble(.closed, "")).isEmpty)
    }
}
