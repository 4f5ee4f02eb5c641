import Banking
import Media
import Primitives
import Routing
import SIP
import Session
import Store
import Testing

@testable import Center

/// Anything in any order: nothing traps, and every session ends in exactly one record unless another node has it.
@Suite struct RandomCallsTests {
    @Test(arguments: 1...24)
    func everySessionEndsOnce(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let bench = try CenterBench(seed: random.next()) {
            $0.longestCall = .seconds(120)
            $0.callLimit = 20
        }
        var phones: [Phone] = []
        for step in 0..<400 {
            if phones.isEmpty || Int.random(in: 0..<8, using: &random) == 0 {
                let phone = Phone(bench, callID: "call-\(step)", flow: flow(&random))
                phone.line = ["95533", "9196", "9664", "1"].randomElement(using: &random) ?? "9196"
                phones.append(phone)
                let options = [
                    "Require: 100rel", "Supported: timer", "Session-Expires: 100", "Allow: UPDATE", "Supported: 100rel",
                ]
                try phone.invite(
                    Bool.random(using: &random) ? Phone.offer : "",
                    headers: options.filter { _ in Bool.random(using: &random) })
                continue
            }
            try act(bench, phones.randomElement(using: &random) ?? phones[0], &random)
        }
        // The storm is over: whoever is still there hangs up, and the store takes what waits.
        bench.storeMode = .answers
        bench.replies = { _ in nil }
        bench.answerStore(.unavailable(StoreTrouble(.locked, "lost")))
        bench.handle(.endAllCalls)
        bench.advance(by: .seconds(200))
        #expect(bench.callCount == 0)
        #expect(bench.isIdle)
        #expect(bench.timerCount == 0)
        #expect(bench.serverTransactions == 0)
        #expect(bench.core.ringing.isEmpty)

        let opened = Set(bench.opened.map(\.session))
        let ended = Set(bench.records.map(\.id))
        let dropped = Set(
            bench.notes.compactMap { note -> SessionID? in
                if case .lostOwnership(let session) = note { session } else { nil }
            })
        // There was something to get wrong.
        #expect(!opened.isEmpty)
        #expect(ended.isSubset(of: opened))
        #expect(opened.subtracting(ended) == dropped)
        #expect(ended.isDisjoint(with: dropped))
        // A record that is handed in again is the same record.
        #expect(Set(bench.records).count == ended.count)
        let counted = bench.notes.filter { if case .ended = $0 { true } else { false } }.count
        #expect(counted == ended.count)
        #expect(bench.records.allSatisfy { $0.end != nil && $0.ended != nil })
    }

    private func flow(_ random: inout SeededRandom) -> Flow {
        Int.random(in: 0..<4, using: &random) == 0
            ? Flow(transport: .tcp, remote: Phone.flow.remote, connection: UInt64.random(in: 1...3, using: &random))
            : Phone.flow
    }

    private func act(_ bench: CenterBench, _ phone: Phone, _ random: inout SeededRandom) throws {
        switch Int.random(in: 0..<24, using: &random) {
        case 0...2: try phone.acknowledge(Bool.random(using: &random) ? Phone.offer : "")
        case 3: try phone.hangUp()
        case 4: try phone.request("INVITE", body: Bool.random(using: &random) ? Phone.sdp(direction: "sendonly") : "")
        case 5: try phone.request("UPDATE", body: Bool.random(using: &random) ? Phone.offer : "")
        case 6:
            try phone.request(
                "INFO", body: "Signal=\(Int.random(in: 0...20, using: &random))", type: "application/dtmf-relay")
        case 7:
            let rseq = bench.responses(180).last { $0.message.callID == phone.callID }?.message.first(.rseq) ?? "1"
            try phone.request(
                "PRACK", headers: ["RAck: \(rseq) 1 INVITE"], body: Bool.random(using: &random) ? Phone.offer : "")
        case 8: try phone.send(phone.text("CANCEL", cseq: 1, branch: "z9hG4bK-\(phone.callID)-1"))
        case 9: bench.storeMode = [.answers, .away, .silent].randomElement(using: &random) ?? .answers
        case 10:
            bench.answerStore(
                [.done, .unavailable(StoreTrouble(.locked, "")), .notOwner].randomElement(using: &random) ?? .done)
        case 11:
            if let asked = bench.bank.randomElement(using: &random) {
                let outcomes: [BankOutcome] = [.ok, .done, .unknown, .unavailable, .notOwner, .wrongPIN(remaining: 1)]
                bench.handle(.bank(asked.call, asked.id, outcomes.randomElement(using: &random) ?? .ok))
            }
        case 12: bench.handle(.unreachable(phone.flow))
        case 13: bench.handle(.administered(Int.random(in: 0..<4, using: &random) == 0 ? .draining : .enabled))
        case 14: if let call = bench.media.randomElement(using: &random)?.call { bench.handle(.media(call, .timedOut)) }
        case 15: bench.hasPorts = Int.random(in: 0..<4, using: &random) != 0
        case 16:
            if Int.random(in: 0..<20, using: &random) == 0,
                let next = NodeIdentity(name: "center-a", incarnation: String(random.next() >> 32, radix: 36))
            {
                bench.handle(.fenced(newIdentity: next))
            }
        case 17:
            if let request = bench.sent.last(where: { $0.message.isRequest && $0.message.method != .ack })?.message {
                let status = [180, 200, 404, 405, 408, 422, 481, 491, 500].randomElement(using: &random) ?? 200
                try phone.send(phone.reply(status, to: request, body: Bool.random(using: &random) ? Phone.offer : ""))
            }
        case 18...20:
            for _ in 0..<6 {
                guard let call = bench.media.randomElement(using: &random)?.call,
                    let digit = Digit(event: UInt8.random(in: 0...15, using: &random))
                else { continue }
                bench.handle(.media(call, .digit(digit)))
            }
        default: bench.advance(by: .milliseconds(Int64.random(in: 1...20_000, using: &random)))
        }
    }

    /// I9: bytes of any kind are answered or dropped, and counted.
    @Test func brokenBytesAreRefusedOrDropped() throws {
        let bench = try CenterBench()
        let phone = Phone(bench)
        let good = Array(phone.text("INVITE", body: Phone.offer).utf8)
        var random = SeededRandom(seed: 7)
        for _ in 0..<4_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.removeSubrange(place..<min(bytes.count, place + 20))
                }
            }
            bench.receive(bytes: bytes)
        }
        #expect(bench.notes.contains(.rejected(reason: .malformed)))
        bench.handle(.endAllCalls)
        bench.advance(by: .seconds(100))
        #expect(bench.isIdle)
    }

    @Test func requestThatCannotBeReadIsAnswered400() throws {
        let bench = try CenterBench()
        let text = Phone(bench).text("OPTIONS").replacing("Max-Forwards: 70", with: "Max-Forwards: x")
        bench.receive(bytes: Array(text.utf8))
        #expect(bench.responses(400).first?.message.to.tag?.hasPrefix("center-a.k3f9x2.") == true)
        #expect(bench.notes.contains(.rejected(reason: .malformed)))
        let noted = bench.notes.count
        bench.receive(bytes: Array("\r\n\r\n".utf8))
        #expect(bench.notes.count == noted)
        bench.receive(bytes: [0xFF, 0xFE, 0x00, 0x41])
        #expect(bench.sent.count == 1)
    }
}
