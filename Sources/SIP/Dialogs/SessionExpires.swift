/// The value of Session-Expires (RFC 4028 §4).
public struct SessionExpires: Hashable, Codable, Sendable {
    public enum Refresher: String, Codable, Sendable { case uac, uas }

    /// Seconds between refreshes; the session expires when none comes.
    public var seconds: Int
    public var refresher: Refresher?

    public init(seconds: Int, refresher: Refresher? = nil) {
        self.seconds = seconds
        self.refresher = refresher
    }
}

extension SessionExpires: LosslessStringConvertible, CustomStringConvertible {
    /// Parses `1800;refresher=uas`; other parameters are ignored.
    public init?(_ text: String) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map { $0.trimmingWhiteSpace() }
        guard let first = parts.first, let seconds = DeltaSeconds.parse(first) else { return nil }
        self.init(seconds: seconds)
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1).map { $0.trimmingWhiteSpace() }
            guard pair.count == 2, pair[0].equalsIgnoringCase("refresher") else { continue }
            guard let known = Refresher(rawValue: pair[1].lowercased()) else { return nil }
            refresher = known
        }
    }

    public var description: String { refresher.map { "\(seconds);refresher=\($0.rawValue)" } ?? "\(seconds)" }
}

/// RFC 3261 §25.1 `delta-seconds`; values above 2³¹-1 count as that.
enum DeltaSeconds {
    static func parse(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 20, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return min(Int(text) ?? 0x7FFF_FFFF, 0x7FFF_FFFF)
    }
}

/// What a node wants of session timers, and how it comes to terms with the other side (RFC 4028).
public struct SessionTimerPolicy: Equatable, Sendable {
    /// No interval is shorter, in seconds (§4).
    private static let least = 90

    /// Interval that we ask for, in seconds.
    public var preferred: Int
    /// Shortest interval that we accept of who knows session timers; at least 90.
    public var minimum: Int

    public init(preferred: Int = 1_800, minimum: Int = 90) {
        self.minimum = max(Self.least, minimum)
        self.preferred = max(preferred, self.minimum)
    }

    public enum ServerDecision: Equatable, Sendable {
        /// Headers for the 2xx.
        case agreed(SessionExpires, headers: [Rejection.Header])
        /// 422 with Min-SE, or 400.
        case reject(Rejection)
    }

    /// The server's side for an INVITE or UPDATE (§9).
    public func answer(_ request: Message) -> ServerDecision {
        let peerSupports =
            request.has(optionTag: "timer", in: .supported) || request.has(optionTag: "timer", in: .require)
        guard let asked = request.first(.sessionExpires) else {
            // §9: without Session-Expires the server may ask for a timer; a client without support cannot refresh.
            return agree(seconds: preferred, refresher: peerSupports ? .uac : .uas, isTold: peerSupports)
        }
        guard let wanted = SessionExpires(asked) else { return .reject(Rejection(400)) }
        // §9: "If an incoming request contains a Supported header field with a value 'timer' and a Session-Expires
        // header field, the UAS MAY reject the INVITE request with a 422 … if the session interval … is too small."
        if wanted.seconds < minimum, peerSupports {
            return .reject(Rejection(422, headers: [(.minSE, "\(minimum)")]))
        }
        // "The UAS MUST NOT increase the value of the Session-Expires header field", and may reduce it to Min-SE. One
        // that a proxy put in for a client without timers cannot be refused; below the least that there is (§4: "The
        // minimum … is 90 seconds") it would have the session refreshed without end.
        let floor = max(minimum, request.first(.minSE).flatMap { Self.leadingSeconds(of: $0) } ?? Self.least)
        let seconds = max(min(wanted.seconds, max(preferred, floor)), Self.least)
        return agree(seconds: seconds, refresher: peerSupports ? wanted.refresher ?? .uac : .uas, isTold: true)
    }

    /// Table 2 of §9: a 2xx whose refresher is the client carries Require: timer. Where the request had a
    /// Session-Expires the 2xx has one, whether or not the client knows timers: proxies on the way do.
    private func agree(seconds: Int, refresher: SessionExpires.Refresher, isTold: Bool) -> ServerDecision {
        let value = SessionExpires(seconds: seconds, refresher: refresher)
        var headers: [Rejection.Header] = []
        if isTold { headers.append(.init(.sessionExpires, value.description)) }
        if refresher == .uac { headers.append(.init(.require, "timer")) }
        return .agreed(value, headers: headers)
    }

    /// Headers of an INVITE or UPDATE of ours, Supported aside (§7.1). `current` is kept in a refresh (§7.4).
    public func requestHeaders(current: SessionExpires? = nil) -> [(HeaderName, String)] {
        [(.sessionExpires, (current ?? SessionExpires(seconds: preferred)).description), (.minSE, "\(minimum)")]
    }

    /// The client's side, from a 2xx to its request (§7.2): nil when there is no timer.
    public func agreed(by response: Message) -> SessionExpires? {
        guard var value = response.first(.sessionExpires).flatMap(SessionExpires.init) else { return nil }
        if value.refresher == nil { value.refresher = .uac }
        value.seconds = max(value.seconds, Self.least)
        return value
    }

    /// The interval to try again with after a 422 (§7.3); nil when the response does not say or asks for the absurd.
    public func interval(after response: Message) -> Int? {
        guard let least = response.first(.minSE).flatMap({ Self.leadingSeconds(of: $0) }), least <= 86_400 else {
            return nil
        }
        return max(preferred, least)
    }

    private static func leadingSeconds(of text: String) -> Int? {
        DeltaSeconds.parse(text.prefix { $0 != ";" }.trimmingWhiteSpace())
    }
}
