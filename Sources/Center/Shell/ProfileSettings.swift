import Banking
import Menu
import NetworkIO
import Primitives
import Profiles
import SIP
import Session

extension CenterSettings {
    /// A profile as the core needs it.
    init(_ profile: CenterProfile, identity: NodeIdentity, voice: CenterVoice, library: LibraryInUse) {
        let sip = profile.common.sip
        let udp = sip.listeners.filter { $0.transport == .udp }
        let contacts = (udp.isEmpty ? sip.listeners : udp).map { listener in
            Contact(
                host: sip.advertise ?? listener.endpoint.address.description, port: listener.endpoint.port,
                hasTCP: sip.listeners.contains { $0.transport == .tcp && $0.endpoint == listener.endpoint })
        }
        var lines: [String: Line] = [:]
        for (number, line) in profile.lines {
            switch line {
            case .menu: lines[number] = voice.menus[number].map { .menu($0) }
            case .echo: lines[number] = .echo
            case .music: lines[number] = .music
            }
        }
        self.init(
            identity: identity, contacts: contacts, lines: lines, voices: voice.voices(from: library),
            callLimit: profile.limits.calls, setUps: profile.limits.setUps, longestCall: profile.limits.duration,
            sessionTimer: SessionTimerPolicy(
                preferred: Int(profile.sessionTimer.expires.components.seconds),
                minimum: Int(profile.sessionTimer.minimum.components.seconds)),
            timers: TransactionTimers(t1: sip.t1, t2: sip.t2, t4: sip.t4), trusted: sip.trusted,
            ptimeMs: profile.media.ptime_ms, handsOverAtEnd: profile.atEnd == .handover)
    }
}

extension BankRules {
    init(_ bank: CenterProfile.Bank) {
        self = .standard
        singleLimitMinor = bank.singleLimit_minor
        dailyLimitMinor = bank.dailyLimit_minor
        wrongPINs = bank.pinAttempts
        lockFor = bank.pinLock
    }
}

extension StreamLimits {
    init(_ limits: TCPLimits) {
        self.init()
        connections = limits.connections
        idleTime = limits.idle
        connectTime = limits.connect
    }
}

extension SIPProfile {
    /// The TCP listeners, each with the index of the UDP listener at the same endpoint, or one of its own: what a
    /// flow's `listener` means.
    var tcpListeners: [(UInt16, SIPListener)] {
        let udp = listeners.filter { $0.transport == .udp }
        return listeners.filter { $0.transport == .tcp }.enumerated().map { index, listener in
            let place = udp.firstIndex { $0.endpoint == listener.endpoint } ?? min(index, max(0, udp.count - 1))
            return (UInt16(clamping: place), listener)
        }
    }
}
