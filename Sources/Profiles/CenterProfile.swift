import Primitives
import Routing

/// A node that answers calls.
public struct CenterProfile: Hashable, Sendable {
    /// What answers a called number.
    public enum Line: Hashable, Sendable {
        /// A menu file, relative to the profile's own folder.
        case menu(path: String)
        /// The caller's own audio.
        case echo
        /// Hold music.
        case music
    }

    /// RTP.
    public struct Media: Hashable, Sendable {
        /// Where RTP sockets are bound.
        public var address: IPAddress
        /// Address in c= lines.
        public var advertise: IPAddress
        public var ports: PortRange
        /// Latch to whatever address the caller's RTP comes from.
        public var allowsNAT: Bool
        /// Length of the frames that are sent where the caller asks for none.
        public var ptime_ms: Int
        /// End calls from which no RTP came for this long; nil: never.
        public var timeout: Duration?
        /// Listen for tones in the audio when the caller offers no telephone-event.
        public var hearsTones: Bool
    }

    /// How a language is spoken by a synthesiser.
    public struct Language: Hashable, Sendable {
        public var code: String
        /// Program and arguments, double quotes keep blanks together; `{output}` and `{text}` are replaced in them.
        public var voice: String
    }

    public struct Limits: Hashable, Sendable {
        public var calls: Int
        public var setUps: RateLimit
        /// A call ends after this time, whatever it does.
        public var duration: Duration
    }

    /// RFC 4028.
    public struct SessionTimer: Hashable, Sendable {
        public var minimum: Duration
        public var expires: Duration
    }

    public struct Bank: Hashable, Sendable {
        public var singleLimit_minor: Int64
        public var dailyLimit_minor: Int64
        public var pinAttempts: Int
        public var pinLock: Duration
        /// Enter the thousand customers of the demo, each with a well-known PIN. Never for a real bank.
        public var hasDemoCustomers: Bool
    }

    public var common: CommonProfile
    public var lines: [String: Line]
    public var media: Media
    public var languages: [Language]
    /// Where spoken prompts are kept, relative to the state directory.
    public var builtPromptsPath: String
    /// The texts of the prompts and the bank's own recordings, relative to the profile's folder.
    public var ownPromptsPath: String
    public var limits: Limits
    public var sessionTimer: SessionTimer
    public var bank: Bank
    /// What becomes of live calls at SIGTERM.
    public var atEnd: AtEnd
    /// How long SIGTERM waits for calls to end by themselves, or to be handed over.
    public var drain: Duration
    /// Relative to the state directory.
    public var pinKeyPath: String
}

extension CenterProfile {
    public enum AtEnd: String, CaseIterable, Sendable {
        /// Centers that live take them over; without one they are waited for.
        case handover
        /// They are waited for.
        case wait
    }

    /// Spoken by eSpeak NG, which Debian has, when the profile says nothing.
    static let defaultLanguages = [("zh", "cmn"), ("en", "en")].map { code, voice in
        Language(code: code, voice: "espeak-ng -v \(voice) -s 155 -w {output} {text}")
    }

    static func read(_ top: Section) -> CenterProfile {
        let common = CommonProfile.read(top)
        let lines = top.map(
            "lines", keys: .line, of: "what answers it", count: 1...10_000, absent: nil,
            "The called numbers and what answers each; any other number gets 404.", read: readLine)
        let media = top.section("media") { Media.read($0, common: common) }
        let languages = top.map(
            "languages", keys: .language, of: "how it is spoken", count: 1...32,
            absent: "(`zh` and `en`, spoken by espeak-ng)",
            "The languages of the prompts. Each names the command that speaks a prompt that nobody recorded."
        ) { code, section in
            let voice = section.required(
                "voice", .word,
                "Command that speaks: `{output}` is replaced by the WAV to write, `{text}` by what to say, which goes to "
                    + "standard input where there is no `{text}`. Double quotes keep blanks together; there is no shell."
            )
            if !section.reading.isRecording, section.has("voice"), !voice.contains("{output}") {
                section.refuse("voice", found: "no {output}", expected: "{output} where the WAV file's name goes")
            }
            return Language(code: code, voice: voice)
        }
        let (built, own) = top.section("prompts") { section in
            (
                section.value(
                    "built", .path, default: "prompts",
                    "Where spoken prompts are kept, relative to the state directory."),
                section.value(
                    "own", .path, default: "prompts",
                    "Folder with the texts (`LANG.yaml`) and the bank's own recordings (`LANG/NAME.wav`, they win), "
                        + "relative to this file's folder.")
            )
        }
        let limits = top.section("limits", read: Limits.read)
        let timer = top.section("session_timer", read: SessionTimer.read)
        let bank = top.section("bank", read: Bank.read)
        let atEnd = top.value(
            "drain", .choice(placeholder: AtEnd.handover), default: .handover,
            "After SIGTERM: `handover` gives live calls to centers that live, `wait` lets them end by themselves.")
        let drain = top.value(
            "drain_s", .seconds(in: 0...86_400), default: .seconds(30),
            "After SIGTERM: no new calls, and this long for the others to end or to be handed over; then the node "
                + "ends them.")
        let key = top.value(
            "pin_key", .path, default: "secrets/pin-key",
            "Key file of the PINs, relative to the state directory; made at first start. All centers need the same.")
        if media.ports.pairs < limits.calls {
            top.refuse(
                "media.ports", found: "room for \(media.ports.pairs) calls",
                expected: "at least \(2 * limits.calls) ports, two for each of limits.calls")
        }
        return CenterProfile(
            common: common,
            lines: Dictionary((lines ?? []).map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last }),
            media: media, languages: languages?.map(\.value) ?? defaultLanguages, builtPromptsPath: built,
            ownPromptsPath: own, limits: limits, sessionTimer: timer, bank: bank, atEnd: atEnd, drain: drain,
            pinKeyPath: key)
    }

    private static func readLine(_ number: String, _ section: Section) -> Line {
        let problemsBefore = section.reading.problems.count
        let menu = section.optional(
            "menu", .path, absent: "no menu", "Menu file that answers, relative to this file's folder.")
        let echo = section.value("echo", .flag, default: false, "The caller hears itself.")
        let music = section.value("music", .flag, default: false, "The caller hears hold music.")
        let count = (menu == nil ? 0 : 1) + (echo ? 1 : 0) + (music ? 1 : 0)
        if count != 1, section.reading.problems.count == problemsBefore {
            section.reading.problem(
                section.path, found: count == 0 ? "nothing that answers" : "\(count) things that answer",
                expected: "exactly one of menu: FILE, echo: true, music: true", line: section.line)
        }
        if let menu { return .menu(path: menu) }
        return echo ? .echo : .music
    }
}

extension CenterProfile.Media {
    static func read(_ section: Section, common: CommonProfile) -> Self {
        let own = common.sip.listeners.first?.endpoint.address
        let address = section.optional(
            "address", .address, absent: "the address of the first SIP listener",
            "Where RTP sockets are bound. Callers whose audio is of the other address family get 488.")
        let advertise = section.optional(
            "advertise", .address, absent: "`media.address`", "Address in the c= line of our SDP; needed behind NAT.")
        let ports = section.required(
            "ports", .ports,
            "FIRST-LAST; each call takes an even port for RTP and the next for RTCP: at least two for each of limits.calls."
        )
        let nat = section.value(
            "nat", .flag, default: false,
            "Send RTP to wherever the caller's comes from, even if its SDP and its signalling say otherwise.")
        let ptime = section.value(
            "ptime_ms", .choice(placeholder: FrameLength.twenty), default: .twenty,
            "Frame length where the caller asks for none.")
        let timeout = section.optional(
            "timeout_s", .seconds(in: 5...86_400), absent: "silent callers are kept",
            "End calls from which no RTP came for this long.")
        let tones = section.value(
            "tones", .flag, default: true,
            "Hear digits as tones in the audio when the caller offers no telephone-event.")
        let bound = address ?? own ?? ValueKind<IPAddress>.address.placeholder
        let told = advertise ?? bound
        if told.isUnspecified {
            section.refuse(
                "advertise", found: advertise == nil ? "nothing" : "\"\(told)\"",
                expected: "the address that callers send RTP to, because \(bound) is none")
        }
        if bound.isV6 != told.isV6 {
            section.refuse("advertise", found: "\"\(told)\"", expected: "the family of media.address, \(bound)")
        }
        let clash = common.sip.listeners.first {
            $0.transport == .udp && ports.contains($0.endpoint.port)
                && ($0.endpoint.address == bound || $0.endpoint.address.isUnspecified || bound.isUnspecified)
        }
        if let clash {
            section.refuse("ports", found: "\"\(ports)\"", expected: "ports without that of \(clash) in sip.listen")
        }
        return Self(
            address: bound, advertise: told, ports: ports, allowsNAT: nat, ptime_ms: Int(ptime.rawValue) ?? 20,
            timeout: timeout, hearsTones: tones)
    }

    /// Frame lengths that fit whole RTP clocks and our paced loop.
    enum FrameLength: String, CaseIterable {
        case ten = "10"
        case twenty = "20"
        case thirty = "30"
        case forty = "40"
        case fifty = "50"
        case sixty = "60"
    }
}

extension CenterProfile.Limits {
    static func read(_ section: Section) -> Self {
        let calls = section.value(
            "calls", .integer(in: 1...100_000), default: 2_000, "Calls at once; beyond: 503 with Retry-After.")
        let rate = section.value(
            "setups_per_second", .number(in: 0.1...100_000), default: 200,
            "New calls a second in the long run; beyond: 503 with Retry-After.")
        let burst = section.value(
            "setup_burst", .integer(in: 1...100_000), default: 400, "New calls at once after a quiet time.")
        let duration = section.value(
            "duration_s", .seconds(in: 10...604_800), default: .seconds(7_200),
            "A call ends after this time, whatever it does.")
        return Self(calls: calls, setUps: RateLimit(perSecond: rate, burst: burst), duration: duration)
    }
}

extension CenterProfile.SessionTimer {
    static func read(_ section: Section) -> Self {
        let minimum = section.value(
            "min_se_s", .seconds(in: 90...86_400), default: .seconds(90),
            "Shortest session interval that is accepted; below: 422 (RFC 4028 §5).")
        let expires = section.value(
            "expires_s", .seconds(in: 90...86_400), default: .seconds(1_800), "Session interval that is asked for.")
        if expires < minimum {
            section.refuse(
                "expires_s", found: "\"\(expires.wholeMilliseconds / 1_000)\"",
                expected: "at least min_se_s, \(minimum.wholeMilliseconds / 1_000)")
        }
        return Self(minimum: minimum, expires: expires)
    }
}

extension CenterProfile.Bank {
    static func read(_ section: Section) -> Self {
        let single = section.value(
            "single_limit", .money, default: 50_000_00,
            "Largest amount of one transfer, in the currency of the account.")
        let daily = section.value(
            "daily_limit", .money, default: 200_000_00, "Largest sum of one customer's transfers in a day.")
        let attempts = section.value(
            "pin_attempts", .integer(in: 1...10), default: 3, "Wrong PINs in a row that lock the customer.")
        let lock = section.value(
            "pin_lock_s", .seconds(in: 1...604_800), default: .seconds(1_800), "How long the customer stays locked.")
        let demo = section.value(
            "demo_customers", .flag, default: false,
            "Enter customers 10000001 to 10001000 with PIN 246810 at start, for demonstrations only.")
        if daily < single {
            section.refuse(
                "daily_limit", found: "\"\(ValueKind<Int64>.money.show(daily))\"",
                expected: "at least single_limit, \(ValueKind<Int64>.money.show(single))")
        }
        return Self(
            singleLimit_minor: single, dailyLimit_minor: daily, pinAttempts: attempts, pinLock: lock,
            hasDemoCustomers: demo)
    }
}
