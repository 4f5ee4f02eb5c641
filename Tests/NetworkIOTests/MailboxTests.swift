import NetworkIO
import Primitives
import Testing

@Suite(.timeLimit(.minutes(10)))
struct MailboxTests {
    @Test func fullMailboxRefusesAndCounts() throws {
        let mailbox = try Mailbox<Int>(capacity: 3)
        #expect((0..<5).map { mailbox.post($0) } == [true, true, true, false, false])
        #expect(mailbox.depth == 3)
        #expect(mailbox.refused == 2)
    }

    @Test func lateMailboxRefusesUntilItOpens() throws {
        let late = LateMailbox<Int>()
        #expect(!late.post(1))
        let mailbox = try Mailbox<Int>(capacity: 1)
        late.open(mailbox)
        #expect(late.post(2))
        #expect(!late.post(3))
        #expect(mailbox.depth == 1)
    }

    @Test func depthFallsWhenTheLoopTakesItsMessages() async throws {
        let gate = Gate()
        let loop = try RecordingLoop { $0.mailboxCapacity = 4 }
        loop.post(.hold(gate))
        while loop.loop.mailbox.depth > 0 { await Task.yield() }
        #expect((0..<6).map { loop.loop.mailbox.post(.note($0)) } == [true, true, true, true, false, false])
        #expect(loop.loop.mailbox.depth == 4)
        gate.open()
        for number in 0..<4 { #expect(await loop.next() == .message(number)) }
        #expect(loop.loop.mailbox.depth == 0)
        #expect(loop.loop.mailbox.refused == 2)
    }

    @Test func postersOnManyThreadsLoseNothing() async throws {
        let loop = try RecordingLoop { $0.mailboxCapacity = 100_000 }
        await withTaskGroup(of: Void.self) { group in
            for poster in 0..<8 {
                group.addTask {
                    for number in 0..<500 { loop.post(.note(poster * 1000 + number)) }
                }
            }
        }
        var last = [Int](repeating: -1, count: 8)
        for _ in 0..<4000 {
            guard case .message(let number)? = await loop.next() else {
                Issue.record("not a message")
                return
            }
            #expect(number % 1000 == last[number / 1000] + 1)
            last[number / 1000] = number % 1000
        }
        #expect(last == Array(repeating: 499, count: 8))
    }
}
