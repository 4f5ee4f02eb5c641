import NetworkIO
import Primitives
import Profiles
import SIP
import Session

extension AccessSettings {
    /// A profile as the core needs it. The ports are those that were bound.
    init(_ profile: AccessProfile, identity: NodeIdentity) {
        let sip = profile.common.sip
        func listeners(_ transport: SIPListener.Transport) -> [Listener] {
            sip.listeners.filter { $0.transport == transport }.map { listener in
                Listener(
                    host: sip.advertise ?? listener.endpoint.address.description, port: listener.endpoint.port,
                    local: listener.endpoint)
            }
        }
        self.init(
            identity: identity, udp: listeners(.udp), tcp: listeners(.tcp), routing: profile.routing,
            passive: profile.passive, firstResponse: profile.failover.firstResponse,
            attempts: profile.failover.attempts,
            timers: TransactionTimers(t1: sip.t1, t2: sip.t2, t4: sip.t4, c: profile.failover.ringing),
            trusted: sip.trusted, sources: profile.sources.rules, rate: profile.sources.rate,
            trackedSources: profile.sources.tracked, transactionLimit: profile.maximumTransactions)
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
