import Primitives
import SDP

/// The media of one call leg: what goes out each tick, what comes in, and what the call must know of it. A pure value:
/// who owns the sockets asks for a packet each `ptimeMs` and hands over what arrives. Sending and receiving allocate
/// nothing, lock nothing and count no references.
///
/// The library behind `audio` must outlive the stream.
public struct MediaStream: Sendable {
    /// The longest packet: header and 60 ms.
    public static let maximumPacketBytes = RTPHeader.byteCount + 480

    public struct Options: Hashable, Sendable {
        /// Take media from wherever the first come, whatever signalling says, for callers behind NAT.
        public var allowsNAT: Bool
        /// Tell `timedOut` when nothing was heard for so long while the other side should send; nil never does. Who holds
        /// us need not send: phones differ in whether they play music then.
        public var timeout: Duration?
        /// Listen for tones where no telephone-events are agreed.
        public var inBandDigits: Bool

        public init(allowsNAT: Bool = false, timeout: Duration? = nil, inBandDigits: Bool = true) {
            self.allowsNAT = allowsNAT
            self.timeout = timeout
            self.inBandDigits = inBandDigits
        }
    }

    public let options: Options
    /// Who speaks sends far more often; who was not heard for so long is not heard now.
    public static let silence = Duration.seconds(10)

    /// Our own synchronisation source.
    public let ssrc: UInt32
    public private(set) var agreement: MediaAgreement?
    public internal(set) var counters = MediaCounters()
    /// True sends nothing at all, RTCP included, while everything else goes on; for a node unsure of its standing.
    public var isMuted = false

    private(set) var audio: PromptAudio
    let canonicalName: UInt64
    var latch: SourceLatch
    var synchronisation = SynchronisationSource()
    var statistics = ReceptionStatistics()
    var reports = ReportState()
    // At most one of the two; both are changed in place, which is why they are not cases of one enumeration.
    var playback: Playback?
    var echoBuffer: EchoBuffer?
    var eventReceiver = TelephoneEventReceiver()
    var eventSender = TelephoneEventSender()
    var detector: InBandDigitDetector?

    // What an agreement comes down to, flat for the hot path.
    var codec = Codec.pcma
    var frame = 160
    private var payloadType: UInt8 = 8
    private var eventPayloadType: UInt8?
    private var sends = false
    var receives = false
    /// The other side should send: audio flows both ways.
    private var expectsMedia = false
    var receivePayloadType: UInt8 = 8
    var receiveEventPayloadType: UInt8?

    private var sequence: UInt16
    var timestamp: UInt32
    var lastTick = MonotonicTime.zero
    /// The next packet starts a talk-spurt whatever it carries: the first one, or one after a time of not sending.
    private var startsAnew = true
    /// The last packet carried more than silence.
    private var wasTalking = false
    private var hasTimedOut = false
    private var isSilent = false
    var lastHeard: MonotonicTime

    /// - Parameter random: for SSRC, sequence, timestamp and CNAME, which start at random (RFC 3550 §5.1).
    public init(options: Options = Options(), audio: PromptAudio, random: inout SeededRandom, now: MonotonicTime) {
        self.options = options
        self.audio = audio
        let first = random.next()
        ssrc = UInt32(truncatingIfNeeded: first)
        timestamp = UInt32(truncatingIfNeeded: first >> 32)
        sequence = UInt16(truncatingIfNeeded: random.next())
        canonicalName = random.next()
        latch = SourceLatch(allowsNAT: options.allowsNAT)
        lastHeard = now
    }

    /// Milliseconds from one packet to the next.
    public var ptimeMs: Int { frame / 8 }
    /// Where RTP goes; nil before the first agreement.
    public var destination: Endpoint? { latch.destination }
    /// The source that media come from, once it is sure; a checkpoint keeps it.
    public var latchedSource: Endpoint? { latch.latched }
    public var reception: ReceptionStatistics { statistics }
    /// What plays now.
    public var playing: PlaybackID? { playback?.id }
    public var isSendingDigits: Bool { !eventSender.isIdle }

    // MARK: Commands

    /// Takes what offer and answer agreed, the first time or anew. A changed address opens the latch.
    /// - Parameters:
    ///   - signalledFrom: where the caller's signalling comes from; its media may too. Nil leaves what was said before.
    ///   - former: where the call's media went at its former owner; used at once, until the source shows itself.
    public mutating func apply(
        _ agreement: MediaAgreement, signalledFrom: IPAddress? = nil, former: Endpoint? = nil, now: MonotonicTime
    ) {
        let expected = expectsMedia
        latch.signal(agreement.remoteRTP, from: signalledFrom, former: former)
        codec = agreement.codec
        frame = agreement.ptimeMs * 8
        payloadType = agreement.payloadType
        eventPayloadType = agreement.telephoneEventPayloadType
        receivePayloadType = agreement.receivePayloadType
        receiveEventPayloadType = agreement.receiveTelephoneEventPayloadType
        let remote = agreement.remoteRTP
        sends = agreement.direction.sends && !remote.address.isUnspecified && remote.port != 0
        receives = agreement.direction.receives
        expectsMedia = sends && receives
        let wantsDetector = options.inBandDigits && agreement.receiveTelephoneEventPayloadType == nil
        detector = wantsDetector ? (detector ?? InBandDigitDetector()) : nil
        // The clock of the time-out starts when the other side should send (again).
        if expectsMedia, !expected {
            lastHeard = now
            hasTimedOut = false
        }
        self.agreement = agreement
    }

    /// Plays a list in place of what plays now, from the next packet on; false, and no change, where it has more than
    /// 1024 pieces. What it replaces tells nothing.
    /// - Parameters:
    ///   - stopsOnDigit: a digit ends it at once (barge-in).
    ///   - loops: over and over until replaced; it then never finishes.
    @discardableResult
    public mutating func play(
        _ items: [PlaylistItem], id: PlaybackID, stopsOnDigit: Bool = true, loops: Bool = false
    ) -> Bool {
        guard items.count <= Playback.itemLimit else { return false }
        stop()
        playback = Playback(items, id: id, stopsOnDigit: stopsOnDigit, loops: loops, audio: audio)
        return true
    }

    /// Plays from another library from the next packet on; what plays now goes on where it is. The numbers of clips must
    /// mean the same in both (`ClipLibrary.init(_:succeeding:)`).
    public mutating func use(_ audio: PromptAudio) {
        playback?.move(from: self.audio, to: audio)
        self.audio = audio
    }

    /// Silence from the next packet on, whatever it was.
    public mutating func stop() {
        playback = nil
        echoBuffer = nil
    }

    /// Sends the caller's own audio back, at most 40 ms old at the tick it leaves with.
    public mutating func echo() {
        stop()
        echoBuffer = EchoBuffer()
    }

    /// Presses keys, in place of audio for as long as each takes; false where events are not agreed, the other side
    /// does not take one of them, or too many wait.
    public mutating func send(_ digits: [Digit], pressMs: Int = 100, pauseMs: Int = 100) -> Bool {
        guard eventPayloadType != nil, let events = agreement?.remoteEvents,
            digits.allSatisfy({ events.contains($0.event) })
        else { return false }
        return eventSender.enqueue(digits, pressMs: pressMs, pauseMs: pauseMs)
    }

    // MARK: Sending

    /// Writes the packet of this tick and returns its length; 0 where nothing may be sent (RFC 3264 §5.1, §8.4).
    /// To be called once each `ptimeMs`, also on hold: the timestamp is the time that passed.
    /// - Parameter buffer: of `maximumPacketBytes`.
    public mutating func nextPacket(
        into buffer: UnsafeMutableRawBufferPointer, now: MonotonicTime, events: inout [MediaEvent]
    ) -> Int {
        precondition(buffer.count >= Self.maximumPacketBytes, "no room for an RTP packet")
        lastTick = now
        if expectsMedia, !isSilent, now - lastHeard > max(Self.silence, options.timeout ?? .zero) {
            isSilent = true
            events.append(.fellSilent)
        }
        if let timeout = options.timeout, expectsMedia, !hasTimedOut, now - lastHeard > timeout {
            hasTimedOut = true
            events.append(.timedOut)
        }
        defer { timestamp &+= UInt32(truncatingIfNeeded: frame) }
        guard sends, !isMuted else {
            startsAnew = true
            return 0
        }
        let body = UnsafeMutableRawBufferPointer(rebasing: buffer[RTPHeader.byteCount...])
        var header = RTPHeader(payloadType: payloadType, sequence: sequence, timestamp: timestamp, ssrc: ssrc)
        var length = frame
        if let eventPayloadType, let packet = eventSender.next(timestamp: timestamp, frame: frame, payload: body) {
            header.payloadType = eventPayloadType
            header.timestamp = packet.timestamp
            header.marker = packet.marker
            length = TelephoneEventSender.payloadByteCount
            wasTalking = false
        } else {
            let isTalking = fill(body, events: &events)
            header.marker = startsAnew || isTalking && !wasTalking
            wasTalking = isTalking
        }
        startsAnew = false
        header.write(into: buffer)
        sequence &+= 1
        counters.packetsSent &+= 1
        counters.octetsSent &+= UInt32(truncatingIfNeeded: length)
        return RTPHeader.byteCount + length
    }

    /// Lets ticks pass for which it is too late; what plays waits.
    public mutating func skipTicks(_ count: Int) {
        timestamp &+= UInt32(truncatingIfNeeded: frame &* count)
    }

    /// Fills one frame; true where it belongs to a talk-spurt.
    private mutating func fill(_ body: UnsafeMutableRawBufferPointer, events: inout [MediaEvent]) -> Bool {
        guard let bytes = body.bindMemory(to: UInt8.self).baseAddress else { return false }
        if playback != nil {
            let goesOn = playback?.fill(bytes, count: frame, codec: codec, audio: audio) ?? false
            if !goesOn, let id = playback?.id {
                playback = nil
                events.append(.finishedPlaying(id))
            }
            return true
        }
        if let isFull = echoBuffer?.fill(bytes, count: frame, codec: codec) { return isFull || wasTalking }
        bytes.update(repeating: G711.silence(codec), count: frame)
        return false
    }

    mutating func heard(now: MonotonicTime, events: inout [MediaEvent]) {
        lastHeard = now
        hasTimedOut = false
        guard isSilent else { return }
        isSilent = false
        events.append(.heardAgain)
    }
}
