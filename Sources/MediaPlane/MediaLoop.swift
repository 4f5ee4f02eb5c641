import Glibc
import Media
import NetworkIO
import Primitives
import Synchronization

public struct MediaLoopConfiguration: Sendable {
    /// Names the thread.
    public var name: String
    /// Streams at once; more are refused.
    public var streamLimit: Int
    /// For every stream of the loop.
    public var stream: MediaStream.Options
    /// Commands that wait at most.
    public var mailboxCapacity = 16_384
    /// After a standstill of so long nothing leaves until `setMuted(false)`: a node that was frozen may have lost its
    /// calls to another one. The same when the thread that signals (`signallingIsAlive`) has not run for so long. Nil never
    /// mutes.
    public var mutesAfterStandstill: Duration?

    public init(name: String = "media", streamLimit: Int = 10_000, stream: MediaStream.Options = .init()) {
        self.name = name
        self.streamLimit = streamLimit
        self.stream = stream
    }
}

/// Why a stream could not be opened.
public enum StreamRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case limit(Int)
    case ports(PortRefusal)
    /// The loop has more commands waiting than it may, or has ended.
    case busy

    public var description: String {
        switch self {
        case .limit(let streams): "\(streams) media streams are open, which is the limit"
        case .ports(let refusal): refusal.description
        case .busy: "the media loop takes no more commands"
        }
    }
}

/// A thread that serves the RTP of many calls: it wakes each 10 ms for one half of them, reads what came for each and
/// sends the packet that is due. This value is its outside: calls open streams, command them, and are told events.
public final class MediaLoop: Sendable {
    public struct Opened: Sendable {
        public var id: StreamID
        /// The bound address and port of RTP; RTCP is the next port.
        public var rtp: Endpoint
    }

    public let counters: MediaLoopCounters
    private let loop: DatagramLoop<MediaLoopHandler>
    private let ports: PortPool
    private let limit: Int
    private let lastID = Atomic<UInt64>(0)
    private let pulse: SignallingPulse

    /// - Parameters:
    ///   - ports: may be shared by several loops.
    ///   - library: streams play from it, until `use(_:)` brings another; kept meanwhile.
    ///   - seed: for SSRCs and the like; from the system's generator in a real node.
    ///   - standstill: told on the loop's thread when it did not run for 100 ms or longer: for how long, and until when.
    ///     Said again each second while the loop is mute by itself.
    ///   - report: told each event on the loop's thread; must not wait.
    public static func start(
        _ configuration: MediaLoopConfiguration, ports: PortPool, library: ClipLibrary, seed: UInt64,
        standstill: @escaping @Sendable (Duration, MonotonicTime) -> Void = { _, _ in },
        report: @escaping @Sendable (StreamID, MediaEvent) -> Void
    ) throws(SocketError) -> MediaLoop {
        // Two sockets a stream, and room for everything else that the process has open.
        DescriptorLimit.raise(to: min(configuration.streamLimit, ports.capacity) * 2 + 1024)
        let counters = MediaLoopCounters()
        let pulse = SignallingPulse()
        var settings = LoopConfiguration(name: configuration.name, listeners: [])
        settings.mailboxCapacity = configuration.mailboxCapacity
        let loop = try DatagramLoop.start(settings) {
            preferThisThread()
            return MediaLoopHandler(
                configuration: configuration, library: library, seed: seed, counters: counters, pulse: pulse,
                report: report, standstill: standstill)
        }
        return MediaLoop(loop, ports, counters, pulse, limit: configuration.streamLimit)
    }

    /// Audio that leaves late is heard; signalling that waits a millisecond is not. So the loop's thread asks to be run
    /// first among the machine's ordinary work. Where that is not allowed it does without.
    private static func preferThisThread() {
        // For Linux the calling thread, not the process, is what id 0 means here.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -10)
    }

    private init(
        _ loop: DatagramLoop<MediaLoopHandler>, _ ports: PortPool, _ counters: MediaLoopCounters,
        _ pulse: SignallingPulse, limit: Int
    ) {
        self.pulse = pulse
        self.loop = loop
        self.ports = ports
        self.counters = counters
        self.limit = limit
    }

    /// Binds a port pair and makes a stream for it, on the calling thread; it sends nothing before its first agreement.
    public func openStream() throws(StreamRefusal) -> Opened {
        guard counters.streams.wrappingAdd(1, ordering: .relaxed).newValue <= limit else {
            counters.streams.wrappingSubtract(1, ordering: .relaxed)
            throw .limit(limit)
        }
        do throws(PortRefusal) {
            let pair = try ports.take()
            let id = StreamID(rawValue: lastID.wrappingAdd(1, ordering: .relaxed).newValue)
            if loop.mailbox.post(.open(id, pair)) { return Opened(id: id, rtp: pair.rtp.local) }
        } catch {
            counters.streams.wrappingSubtract(1, ordering: .relaxed)
            throw .ports(error)
        }
        counters.streams.wrappingSubtract(1, ordering: .relaxed)
        throw .busy
    }

    /// Commands a stream; those of one stream are done in order. One for a closed stream is dropped. False when the
    /// loop takes no more (`.close` is then to be said again).
    @discardableResult
    public func send(_ command: StreamCommand, to id: StreamID) -> Bool {
        loop.mailbox.post(.command(id, command))
    }

    /// Muted, everything goes on but nothing leaves; for a node that is unsure whether its calls are still its own.
    ///
    /// - Parameter asOf: when that was true. Unmuting as of a time before the loop's last standstill is void: it was said
    ///   before anybody knew of that.
    /// - Returns: false when the loop takes no more messages; it is then to be said again.
    @discardableResult
    public func setMuted(_ isMuted: Bool, asOf: MonotonicTime? = nil) -> Bool {
        loop.mailbox.post(.mute(isMuted, asOf: asOf))
    }

    /// The thread that signals runs. Once it has been said it must be said again all the time (`mutesAfterStandstill`):
    /// who cannot answer the masters may have been fenced.
    public func signallingIsAlive(at now: MonotonicTime) { pulse.beat(at: now) }

    /// Plays from another library from now on: what plays goes on, commands sent after this find the new clips. Its
    /// clips must keep the numbers of the library before (`ClipLibrary.init(_:succeeding:)`). False when the loop takes
    /// no more; nothing changes then.
    @discardableResult
    public func use(_ library: ClipLibrary) -> Bool { loop.mailbox.post(.library(library)) }

    /// Commands that wait, for metrics.
    public var mailboxDepth: Int { loop.mailbox.depth }
    /// CPU time of the loop's thread in nanoseconds, up to the last second.
    public var cpuNanoseconds: Int64 { loop.counters.cpuNanoseconds.load(ordering: .relaxed) }

    /// Says goodbye on every stream and ends the thread.
    public func stop() { loop.stop() }
    public func waitUntilStopped() async { await loop.waitUntilStopped() }
}
