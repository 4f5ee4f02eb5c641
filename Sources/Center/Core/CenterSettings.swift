import Menu
import Primitives
import Routing
import SIP
import Session

/// What answers a called number.
public enum Line: Sendable {
    case menu(MenuDefinition)
    case echo
    case music
}

/// A center's profile as its core needs it.
public struct CenterSettings: Sendable {
    public var identity: NodeIdentity
    /// Host and port in Contact and Via, by the listener that a dialog uses.
    public var contacts: [Contact]
    public var lines: [String: Line]
    /// Clips of menus, by language and name.
    public var voices: Voices
    public var callLimit: Int
    public var setUps: RateLimit
    /// A call ends after this time, whatever it does.
    public var longestCall: Duration
    public var sessionTimer: SessionTimerPolicy
    public var timers: TransactionTimers
    /// Whose Tandem headers are believed.
    public var trusted: [CIDR]
    public var ptimeMs: Int
    /// How long the 200 waits for the first checkpoint (TAKEOVER.md, Checkpoints).
    public var checkpointPatience: Duration
    /// At its end the node gives its calls to peers, where there are any; else it waits for callers to finish.
    public var handsOverAtEnd: Bool
    /// Without word from store, masters and access for so long the node is isolated (TAKEOVER.md, The old owner); nil
    /// never isolates it.
    public var isolation: Duration?

    /// How others reach one listener.
    public struct Contact: Sendable {
        public var host: String
        public var port: UInt16
        /// Index of the UDP listener in the loop, and whether TCP listens there too.
        public var hasTCP: Bool

        public init(host: String, port: UInt16, hasTCP: Bool) {
            self.host = host
            self.port = port
            self.hasTCP = hasTCP
        }
    }

    public init(
        identity: NodeIdentity, contacts: [Contact], lines: [String: Line], voices: Voices, callLimit: Int = 2000,
        setUps: RateLimit = RateLimit(perSecond: 200, burst: 400), longestCall: Duration = .seconds(7200),
        sessionTimer: SessionTimerPolicy, timers: TransactionTimers = .standard, trusted: [CIDR] = [],
        ptimeMs: Int = 20, checkpointPatience: Duration = .milliseconds(50), handsOverAtEnd: Bool = true,
        isolation: Duration? = .seconds(1)
    ) {
        self.identity = identity
        self.contacts = contacts
        self.lines = lines
        self.voices = voices
        self.callLimit = callLimit
        self.setUps = setUps
        self.longestCall = longestCall
        self.sessionTimer = sessionTimer
        self.timers = timers
        self.trusted = trusted
        self.ptimeMs = ptimeMs
        self.checkpointPatience = checkpointPatience
        self.handsOverAtEnd = handsOverAtEnd
        self.isolation = isolation
    }
}
