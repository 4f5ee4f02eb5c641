import Primitives
import SDP

/// What a stream remembers between reports.
struct ReportState: Sendable {
    /// Middle bits and arrival of the other side's last sender report.
    var lastSenderReport: (time: UInt32, arrival: MonotonicTime)?
    var sentAtLastReport: UInt32 = 0
    /// What the other side said last about our stream, and the round trip that follows from it.
    var remoteView: ReportBlock?
    var roundTrip: Duration?

    mutating func forgetSource() { lastSenderReport = nil }
}

extension MediaStream {
    /// What the other side reported last about what it hears.
    public var remoteView: ReportBlock? { reports.remoteView }
    /// From the other side's reports; nil before the first one that answers ours.
    public var roundTrip: Duration? { reports.roundTrip }

    /// Where reports go: beside the latched source where that is not the signalled one, else where signalling says.
    /// Nil where there is none, or where the other side holds by `c=0.0.0.0` (RFC 3264 §8.4).
    public var reportDestination: Endpoint? {
        guard let agreement, !agreement.remoteRTCP.address.isUnspecified else { return nil }
        if let destination, destination != agreement.remoteRTP {
            return destination.port < .max ? Endpoint(destination.address, port: destination.port + 1) : nil
        }
        return agreement.remoteRTCP.port == 0 ? nil : agreement.remoteRTCP
    }

    /// Writes the report that is due (RFC 3550 §6.4) and returns its length; 0 where none may be sent.
    /// - Parameters:
    ///   - buffer: of `OutgoingReport.maximumByteCount`.
    ///   - wallClock: the same instant as `now`.
    ///   - isGoodbye: the stream ends with it.
    public mutating func nextReport(
        into buffer: UnsafeMutableRawBufferPointer, now: MonotonicTime, wallClock: NTPTime, isGoodbye: Bool = false
    ) -> Int {
        guard !isMuted, reportDestination != nil else { return 0 }
        var sender: OutgoingReport.Sender?
        if counters.packetsSent != reports.sentAtLastReport {
            // The timestamp of `now`: `timestamp` is that of the packet after the last one sent.
            let sinceTick = max(0, (now - lastTick).wholeNanoseconds / 125_000)
            let current = timestamp &- UInt32(truncatingIfNeeded: frame) &+ UInt32(truncatingIfNeeded: sinceTick)
            sender = OutgoingReport.Sender(
                time: wallClock, timestamp: current, packets: counters.packetsSent, octets: counters.octetsSent)
            reports.sentAtLastReport = counters.packetsSent
        }
        return OutgoingReport(
            ssrc: ssrc, sender: sender, block: reportBlock(now: now), canonicalName: canonicalName,
            isGoodbye: isGoodbye
        ).write(into: buffer)
    }

    private mutating func reportBlock(now: MonotonicTime) -> ReportBlock? {
        guard let source = synchronisation.current, statistics.received > 0 else { return nil }
        var delay: UInt32 = 0
        if let report = reports.lastSenderReport {
            delay = UInt32(clamping: units(now - report.arrival))
        }
        return ReportBlock(
            ssrc: source, fractionLost: statistics.takeFractionLost(), lost: statistics.lost,
            extendedHighest: statistics.extendedHighest, jitter: statistics.jitter,
            lastReport: reports.lastSenderReport?.time ?? 0, delay: delay)
    }

    /// Takes a datagram that came to the RTCP port. A goodbye ends nothing: signalling does.
    public mutating func receivedReport(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, now: MonotonicTime, wallClock: NTPTime
    ) {
        guard latch.permits(source.address) else {
            counters.foreignSource &+= 1
            return
        }
        guard let report = IncomingReport(bytes, about: ssrc) else {
            counters.malformedReports &+= 1
            return
        }
        counters.reportsReceived &+= 1
        if let time = report.senderTime, report.ssrc == synchronisation.current {
            reports.lastSenderReport = (time, now)
        }
        guard let block = report.block else { return }
        reports.remoteView = block
        if block.lastReport != 0 {
            // RFC 3550 §6.4.1: A − LSR − DLSR, in 1/65536 s; nonsense (negative, over a minute) is dropped.
            let trip = Int32(bitPattern: wallClock.middle &- block.lastReport &- block.delay)
            if trip >= 0, trip < 60 << 16 { reports.roundTrip = .nanoseconds(Int64(trip) * 1_000_000_000 >> 16) }
        }
    }

    /// In 1/65536 s.
    private func units(_ span: Duration) -> Int64 {
        let nanoseconds = max(0, min(span.wholeNanoseconds, 60_000_000_000_000))
        return (nanoseconds << 16) / 1_000_000_000
    }
}
