import Foundation
import Primitives

/// What happened, kept for the last events of each call and of the system, and folded into one number.
/// Datagrams are kept as bytes and written out only when somebody wants to read them.
struct Trace {
    enum Fate: UInt8 { case sent, lost, twice, unreachable }

    private enum Event {
        case datagram(from: Endpoint, to: Endpoint, [UInt8], Fate)
        case text(String)
    }

    private struct Ring {
        var events: [(MonotonicTime, Event)] = []
        var next = 0

        /// Of its own, not the trace's: the trace's would copy all rings each time.
        mutating func append(_ event: Event, at now: MonotonicTime, limit: Int) {
            if events.count < limit {
                events.append((now, event))
            } else {
                events[next] = (now, event)
                next = (next + 1) % limit
            }
        }
    }

    private let length: Int
    private let printsAll: Bool
    private var calls: [Int: Ring] = [:]
    private var order: [Int] = []
    private var system = Ring()
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    init(length: Int, printsAll: Bool) {
        self.length = max(1, length)
        self.printsAll = printsAll
    }

    mutating func note(_ text: String, call: Int?, at now: MonotonicTime) {
        fold(now)
        for byte in text.utf8 { fold(UInt64(byte)) }
        keep(.text(text), call: call, at: now)
    }

    mutating func datagram(
        from: Endpoint, to: Endpoint, _ bytes: [UInt8], _ fate: Fate, call: Int?, at now: MonotonicTime
    ) {
        fold(now)
        fold(UInt64(fate.rawValue))
        bytes.withUnsafeBytes { buffer in
            var index = 0
            while index + 8 <= buffer.count {
                fold(buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                index += 8
            }
            while index < buffer.count {
                fold(UInt64(buffer[index]))
                index += 1
            }
        }
        // Pings would push everything else out.
        guard call != nil || printsAll else { return }
        keep(.datagram(from: from, to: to, bytes, fate), call: call, at: now)
    }

    private mutating func fold(_ now: MonotonicTime) { fold(UInt64(bitPattern: now.nanoseconds)) }
    private mutating func fold(_ value: UInt64) { hash = (hash ^ value) &* 0x100_0000_01B3 ^ hash >> 29 }

    private mutating func keep(_ event: Event, call: Int?, at now: MonotonicTime) {
        if printsAll { FileHandle.standardError.write(Data((Self.line(now, event, call: call) + "\n").utf8)) }
        guard let call else { return system.append(event, at: now, limit: length) }
        if calls[call] == nil {
            order.append(call)
            // Calls that are long over are of no interest any more.
            if order.count > 512 { calls[order.removeFirst()] = nil }
        }
        calls[call, default: Ring()].append(event, at: now, limit: length)
    }

    /// The last events of a call and of the system, in order.
    func lines(of call: Int?) -> [String] {
        var all = system.events.map { ($0.0, $0.1, Int?.none) }
        if let call, let ring = calls[call] {
            let first = ring.events.map(\.0).min() ?? .zero
            all.removeAll { $0.0 + .seconds(5) < first }
            all += ring.events.map { ($0.0, $0.1, call) }
        }
        return all.enumerated().sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
            .map { Self.line($0.element.0, $0.element.1, call: $0.element.2) }
    }

    private static func line(_ now: MonotonicTime, _ event: Event, call: Int?) -> String {
        let milliseconds = now.nanoseconds / 1_000_000
        let fraction = String(milliseconds % 1000 + 1000).dropFirst()
        let who = call.map { "call \($0)" } ?? "system"
        switch event {
        case .text(let text): return "\(milliseconds / 1000).\(fraction)  \(who)  \(text)"
        case .datagram(let from, let to, let bytes, let fate):
            let suffix = fate == .sent ? "" : " (\(fate))"
            return "\(milliseconds / 1000).\(fraction)  \(who)  \(from) → \(to)  \(Self.summary(bytes))\(suffix)"
        }
    }

    /// Start line and CSeq; bodies may hold digits and are never shown.
    private static func summary(_ bytes: [UInt8]) -> String {
        let head = String(decoding: bytes.prefix(4096), as: UTF8.self)
        let lines = head.components(separatedBy: "\r\n")
        let cseq = lines.first { $0.hasPrefix("CSeq: ") } ?? ""
        return "\(lines.first ?? "") | \(cseq)"
    }
}
