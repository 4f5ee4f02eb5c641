import Primitives

/// What a run of callers measured. Its JSON is what programs rely on.
public struct CallersReport: Codable, Sendable {
    /// Of all callers, by nearest rank; nil where there is nothing to rank.
    public struct Spread: Codable, Hashable, Sendable {
        public var p50: Double
        public var p99: Double
        public var max: Double

        /// - Parameter values: in any order.
        init?(_ values: [Double]) {
            guard !values.isEmpty else { return nil }
            let sorted = values.sorted()
            func rank(_ percent: Int) -> Double { sorted[Swift.max(0, (sorted.count * percent + 99) / 100 - 1)] }
            p50 = rank(50)
            p99 = rank(99)
            max = rank(100)
        }
    }

    /// One call.
    public struct Row: Codable, Hashable, Sendable {
        public enum CodingKeys: String, CodingKey {
            case caller, end, status, detail, redirects, reinvites, updates, moves, packets, late, overrun, silent
            case unsure
            case callID = "call_id"
            case startedMs = "started_ms"
            case answerMs = "answer_ms"
            case talkMs = "talk_ms"
            case firstAudioMs = "first_audio_ms"
            case gapMs = "gap_ms"
            case gapAtMs = "gap_at_ms"
            case packetsPerSecond = "packets_per_s"
            case retryAfter = "retry_after_s"
        }

        /// From 1.
        public var caller: Int
        public var callID: String
        /// `held`, `plan`, `expected`, `menu`, `dropped`, `failed`, `interrupted`.
        public var end: String
        /// `200`, the refusal's status, `timeout`, `unreachable`, `bad-answer`, `no-port`; nil where the run was ended
        /// before an answer.
        public var status: String?
        public var detail: String?
        /// After the first call was placed.
        public var startedMs: Double
        /// From the first INVITE to the 200, redirections included.
        public var answerMs: Double?
        public var talkMs: Double?
        /// From the 200 to the first packet.
        public var firstAudioMs: Double?
        /// The longest time without audio between the first packet and the end of the call; the whole call where none
        /// came.
        public var gapMs: Double?
        /// When that gap ended, after the first call was placed.
        public var gapAtMs: Double?
        public var packets: Int?
        public var packetsPerSecond: Double?
        public var redirects: Int
        public var reinvites: Int
        public var updates: Int
        /// How often the other side's audio came to live elsewhere: takeovers of the call.
        public var moves: Int
        public var retryAfter: Int?
        /// Packets of a former sender that came after its successor had spoken; no audio to the caller.
        public var late: Int?
        /// Packets that this process did not take in time: the gap may then be its own.
        public var overrun: Int?
        public var silent: Bool
        /// Would be silent, but for `overrun`.
        public var unsure: Bool
    }

    public enum CodingKeys: String, CodingKey {
        case calls, answered, failed, dropped, silent, lost, unsure, interrupted, redirects, reinvites, updates, moved,
            late, overrun, callers
        case hungUpOn = "hung_up_on"
        case withoutDigits = "without_digits"
        case answerMs = "answer_ms"
        case gapMs = "gap_ms"
        case firstAudioMs = "first_audio_ms"
        case packetsPerSecond = "packets_per_s"
        case byStatus = "by_status"
    }

    /// Placed.
    public var calls = 0
    public var answered = 0
    /// Not answered.
    public var failed = 0
    /// Ended by the other side before the plan was done or with a reason, or forgotten by it.
    public var dropped = 0
    /// Answered, and without audio for too long at some time.
    public var silent = 0
    /// Failed, dropped or silent, each call once.
    public var lost = 0
    /// Heard nothing for too long, but this process was starved and lost packets: who is to blame is not known.
    public var unsure = 0
    /// Ended by the user of the instrument.
    public var interrupted = 0
    /// Ended by the other side where the plan expected it, or without a reason after its end.
    public var hungUpOn = 0
    /// The other side takes no telephone-events, and the plan has keys.
    public var withoutDigits = 0
    public var redirects = 0
    public var reinvites = 0
    public var updates = 0
    /// Calls whose other side's audio came to live elsewhere at least once: that another center took over.
    public var moved = 0
    /// Packets of former senders after their successors had spoken.
    public var late = 0
    /// Packets that this process did not take in time.
    public var overrun = 0
    public var answerMs: Spread?
    /// Without the callers whose packets this process lost.
    public var gapMs: Spread?
    public var firstAudioMs: Spread?
    /// The mean over the callers who heard something.
    public var packetsPerSecond: Double?
    public var byStatus: [String: Int] = [:]
    public var callers: [Row] = []

    /// - Parameter silence: who hears nothing for longer is silent.
    public init(_ records: [CallerRecord], settings: CallersSettings) {
        let start = records.first?.placedAt ?? .zero
        let hasKeys = settings.plan.steps(forCaller: 1).contains { if case .press = $0 { true } else { false } }
        for record in records {
            let row = Row(record, start: start, silence: settings.silence)
            callers.append(row)
            calls += 1
            if record.answeredAt != nil { answered += 1 }
            if let status = row.status { byStatus[status, default: 0] += 1 }
            var isLost = row.silent
            if row.silent { silent += 1 }
            if row.unsure { unsure += 1 }
            switch record.ending {
            case .failed:
                failed += 1
                isLost = true
            case .dropped:
                dropped += 1
                isLost = true
            case .interrupted: interrupted += 1
            case .expected, .menu: hungUpOn += 1
            case .held, .planned, nil: break
            }
            if isLost { lost += 1 }
            if hasKeys, record.lacksTelephoneEvents { withoutDigits += 1 }
            redirects += record.redirects
            reinvites += record.reinvites
            updates += record.updates
            if record.moves > 0 { moved += 1 }
            late += record.reception?.late ?? 0
            overrun += record.overrun
        }
        answerMs = Spread(callers.compactMap(\.answerMs))
        // A starved observer accuses nobody.
        gapMs = Spread(callers.compactMap { ($0.overrun ?? 0) > 0 ? nil : $0.gapMs })
        firstAudioMs = Spread(callers.compactMap(\.firstAudioMs))
        let rates = callers.compactMap(\.packetsPerSecond)
        if !rates.isEmpty { packetsPerSecond = rounded(rates.reduce(0, +) / Double(rates.count)) }
    }
}

extension CallersReport.Row {
    init(_ record: CallerRecord, start: MonotonicTime, silence: Duration) {
        caller = record.number
        callID = record.callID
        redirects = record.redirects
        reinvites = record.reinvites
        updates = record.updates
        moves = record.moves
        retryAfter = record.retryAfter
        startedMs = milliseconds(record.placedAt - start)
        status = record.answeredAt == nil ? nil : "200"
        switch record.ending {
        case .held: end = "held"
        case .planned: end = "plan"
        case .expected: end = "expected"
        case .menu: end = "menu"
        case .interrupted, nil: end = "interrupted"
        case .dropped(let reason):
            end = "dropped"
            detail = reason
        case .failed(let failure):
            end = "failed"
            status = failure.name
            if case .noPort(let reason) = failure { detail = reason }
        }
        silent = false
        unsure = false
        guard let answeredAt = record.answeredAt else { return }
        answerMs = milliseconds(answeredAt - record.placedAt)
        if let endedAt = record.endedAt { talkMs = milliseconds(endedAt - answeredAt) }
        guard let heard = record.reception else { return }
        let isSilent = heard.isSilent(longerThan: silence)
        silent = isSilent && record.overrun == 0
        unsure = isSilent && record.overrun > 0
        packets = heard.packets
        late = heard.late
        overrun = record.overrun
        gapMs = milliseconds(heard.longestSilence)
        gapAtMs = heard.longestGapEnd.map { milliseconds($0 - start) }
        if heard.first != nil { firstAudioMs = milliseconds(heard.wait) }
        packetsPerSecond = heard.packetsPerSecond.map(rounded)
    }
}

extension CallerRecord.Failure {
    var name: String {
        switch self {
        case .status(let status): String(status)
        case .timeout: "timeout"
        case .unreachable: "unreachable"
        case .badAnswer: "bad-answer"
        case .noPort: "no-port"
        }
    }
}

private func milliseconds(_ span: Duration) -> Double { rounded(Double(span.wholeNanoseconds) / 1e6) }

/// To microseconds of a millisecond and thousandths of a packet: what lies below is noise.
private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
