import Primitives

/// Symmetric RTP (RFC 4961): finds the address that media really come from, and sends there. The signalled one is
/// believed at once while no other is, and after three packets where one is: a phone behind the same address that still
/// sends to who had these ports before must not keep the caller out. Another source, from an allowed address, must send
/// two packets, and where one is latched three, after that was silent for a second.
struct SourceLatch: Sendable {
    enum Verdict: Hashable, Sendable {
        case refused
        case accepted
        case latched(Endpoint)
    }

    private static let silence = Duration.seconds(1)

    /// Take the first source whatever its address, for callers behind NAT.
    private let allowsNAT: Bool
    private var signalled: Endpoint?
    /// Where the caller's signalling comes from; its media may come from there too.
    private var signalledFrom: IPAddress?
    /// Where media went before a takeover; used until the source shows itself.
    private var former: Endpoint?
    private(set) var latched: Endpoint?
    private var candidate: Endpoint?
    private var candidatePackets = 0
    private var candidateHeard = MonotonicTime.zero
    private var lastHeard = MonotonicTime.zero

    init(allowsNAT: Bool) { self.allowsNAT = allowsNAT }

    /// Where to send: the latched source, else the former one, else what was signalled.
    var destination: Endpoint? { latched ?? former ?? signalled }

    /// Takes what signalling says; a change opens the latch. An unspecified address is a hold and changes nothing else.
    mutating func signal(_ endpoint: Endpoint, from address: IPAddress?, former: Endpoint?) {
        signalledFrom = address ?? signalledFrom
        if endpoint.address.isUnspecified, signalled != nil { return }
        if endpoint != signalled || former != nil {
            latched = nil
            candidate = nil
            candidatePackets = 0
            self.former = former
        }
        signalled = endpoint
    }

    /// Whether the policy lets packets in from there.
    func permits(_ address: IPAddress) -> Bool {
        if address == signalled?.address || address == signalledFrom || address == former?.address {
            return true
        }
        // Behind NAT anyone may come first, but nobody else after.
        return allowsNAT && (latched == nil || latched?.address == address)
    }

    mutating func admit(_ source: Endpoint, now: MonotonicTime) -> Verdict {
        if source == latched {
            lastHeard = now
            // Beside a sender that goes on, only the signalled one may show itself.
            if candidate != signalled { candidatePackets = 0 }
            return .accepted
        }
        guard signalled != nil, permits(source.address) else { return .refused }
        let isOpen = latched == nil
        if !isOpen, source != signalled, now - lastHeard < Self.silence { return .refused }
        candidatePackets = candidate == source && now - candidateHeard < Self.silence ? candidatePackets + 1 : 1
        candidate = source
        candidateHeard = now
        guard candidatePackets >= packetsWanted(of: source, isOpen: isOpen, now: now) else { return .refused }
        latched = source
        candidate = nil
        candidatePackets = 0
        lastHeard = now
        return .latched(source)
    }

    private func packetsWanted(of source: Endpoint, isOpen: Bool, now: MonotonicTime) -> Int {
        if isOpen { return source == signalled || source == former ? 1 : 2 }
        return source == signalled && now - lastHeard >= Self.silence ? 1 : 3
    }
}

/// Keeps a stream to one synchronisation source. Another one must send two packets in a row (a sender that started
/// anew); single strays are refused.
struct SynchronisationSource: Sendable {
    private(set) var current: UInt32?
    private var candidate: UInt32?

    enum Verdict { case accepted, changed, refused }

    mutating func admit(_ ssrc: UInt32) -> Verdict {
        if ssrc == current {
            candidate = nil
            return .accepted
        }
        guard current == nil || candidate == ssrc else {
            candidate = ssrc
            return .refused
        }
        current = ssrc
        candidate = nil
        return .changed
    }
}
