import CDatagram
import Glibc
import NetworkIO
import Primitives
import SIP
import Synchronization

/// Where the phones of a run live.
public struct CallersPlace: Sendable {
    /// Nil: the address that the way to the target leaves by.
    public var address: IPAddress?
    /// 0 lets the system choose.
    public var sipPort: UInt16 = 0
    public var firstRTPPort: UInt16 = 30_000
    public var lastRTPPort: UInt16 = 32_767

    public init() {}
}

/// One run of callers: two threads, one for signalling and one for audio. This value is its outside.
public final class CallersRun: Sendable {
    public let settings: CallersSettings
    private let signalling: DatagramLoop<CallersHandler>
    private let media: DatagramLoop<CallerMediaHandler>
    private let streams: StreamTransport
    private let outcome: Outcome

    private final class Outcome: Sendable {
        let records = Mutex<[CallerRecord]>([])
        let end = EndSignal()
    }

    /// Mail between the two threads waits at most: several messages of each call.
    private static let mailboxCapacity = 1 << 17

    /// Binds the phones' SIP port and places the first call.
    /// - Parameters:
    ///   - settings: `local` is filled in here.
    ///   - seed: for tags and branches; from the system's generator.
    public static func start(
        _ settings: CallersSettings, at place: CallersPlace, seed: UInt64
    ) async throws(SocketError) -> CallersRun {
        let address: IPAddress
        if let wanted = place.address { address = wanted } else { address = try localAddress(towards: settings.target) }
        raiseDescriptorLimit(to: settings.calls + 256)

        let outcome = Outcome()
        let lateMailbox = LateMailbox<CallersMail>()
        let streams = StreamTransport { event in lateMailbox.post(.stream(event)) }
        let ports = CallerPorts(address: address, first: place.firstRTPPort, last: place.lastRTPPort)
        var loop = LoopConfiguration(
            name: "callers-sip", listeners: [Endpoint(address, port: place.sipPort)])
        loop.mailboxCapacity = mailboxCapacity
        let signalling = try DatagramLoop.start(loop) { (mailbox: Mailbox<CallersMail>) -> CallersHandler in
            lateMailbox.open(mailbox)
            return CallersHandler(ports: ports, streams: streams) { records in
                outcome.records.withLock { $0 = records }
                outcome.end.signal()
            }
        }
        do throws(SocketError) {
            return try await begin(settings, signalling, streams, outcome, seed)
        } catch {
            signalling.stop()
            throw error
        }
    }

    private static func begin(
        _ settings: CallersSettings, _ signalling: DatagramLoop<CallersHandler>, _ streams: StreamTransport,
        _ outcome: Outcome, _ seed: UInt64
    ) async throws(SocketError) -> CallersRun {
        var settings = settings
        guard let local = signalling.endpoints.first else { throw SocketError(nil, code: EINVAL) }
        settings.local = local
        // Whoever goes on with a call may have to connect to us.
        if settings.transport == .tcp { try await streams.listen(local, index: 0) }
        var loop = LoopConfiguration(name: "callers-audio", listeners: [])
        loop.mailboxCapacity = mailboxCapacity
        let mailbox = signalling.mailbox
        let capacity = settings.calls
        let media = try DatagramLoop.start(loop) {
            preferThisThread()
            return CallerMediaHandler(capacity: capacity, seed: ~seed) { event in mailbox.post(.event(event)) }
        }
        mailbox.post(.begin(CallersCore(settings: settings, seed: seed), media.mailbox))
        return CallersRun(settings, signalling, media, streams, outcome)
    }

    private init(
        _ settings: CallersSettings, _ signalling: DatagramLoop<CallersHandler>,
        _ media: DatagramLoop<CallerMediaHandler>, _ streams: StreamTransport, _ outcome: Outcome
    ) {
        self.settings = settings
        self.signalling = signalling
        self.media = media
        self.streams = streams
        self.outcome = outcome
    }

    /// Ends all calls politely; the report comes soon after.
    public func interrupt() { signalling.mailbox.post(.event(.endAll)) }

    public func progress() async -> CallersProgress {
        await withCheckedContinuation { continuation in
            let asked = signalling.mailbox.post(.ask { continuation.resume(returning: $0) })
            if !asked { continuation.resume(returning: CallersProgress(placed: 0, talking: 0, answered: 0, lost: 0)) }
        }
    }

    /// Returns when every call is over; the ports are free then.
    public func report() async -> CallersReport {
        await outcome.end.wait()
        media.stop()
        signalling.stop()
        await media.waitUntilStopped()
        await signalling.waitUntilStopped()
        await streams.stop()
        return CallersReport(outcome.records.withLock { $0 }, settings: settings)
    }

    // MARK: The machine

    /// The source address of datagrams to the target; nothing is sent.
    private static func localAddress(towards target: Endpoint) throws(SocketError) -> IPAddress {
        let any: IPAddress = target.address.isV6 ? .v6(0, 0) : .v4(0)
        let socket = try DatagramSocket(Endpoint(any, port: 0))
        try socket.connect(to: target)
        var bound = cdg_address()
        let result = cdg_local_address(socket.descriptor, &bound)
        guard result == 0, let local = Endpoint(bound) else { throw SocketError(target, code: -result) }
        return local.address
    }

    /// The audio of the nodes that are measured runs first among the machine's ordinary work where that is allowed; an
    /// instrument that ran behind it would lose packets that were sent in time.
    private static func preferThisThread() {
        // For Linux the calling thread, not the process, is what id 0 means here.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -10)
    }

    /// One socket a call; shells give 1,024.
    private static func raiseDescriptorLimit(to wanted: Int) {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < rlim_t(wanted) else { return }
        limit.rlim_cur = min(rlim_t(wanted), limit.rlim_max)
        _ = setrlimit(resource, &limit)
    }
}
