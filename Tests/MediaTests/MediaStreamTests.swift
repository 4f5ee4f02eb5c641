import Media
import Primitives
import SDP
import Testing

@Suite struct MediaStreamTests {
    static let first = PlaybackID(rawValue: 1)
    static let second = PlaybackID(rawValue: 2)

    /// What a library's clip sounds like in a coding.
    static func bytes(_ id: ClipID, _ codec: Codec) -> [UInt8] { Array(Rig.library.audio.bytes(id, as: codec)) }

    static func silence(_ count: Int, _ codec: Codec) -> [UInt8] {
        [UInt8](repeating: G711.silence(codec), count: count)
    }

    @Test(arguments: Codec.allCases, [10, 20, 30, 40, 50, 60])
    func playlistsAreCutToTheSampleAtEveryPtime(codec: Codec, ptime: Int) {
        var rig = Rig(agreement(codec, ptime: ptime))
        let short = Rig.clip("en", "short")
        let other = Rig.clip("en", "other")
        let list: [PlaylistItem] = [
            .clip(short), .gap(milliseconds: 25), .clip(other), .clip(Rig.clip("", "nothing")),
            .clip(ClipID(rawValue: 99)), .clip(short),
        ]
        rig.stream.play(list, id: Self.first)
        let expected =
            Self.bytes(short, codec) + Self.silence(200, codec) + Self.bytes(other, codec) + Self.bytes(short, codec)
        let frame = ptime * 8
        let count = (expected.count + frame - 1) / frame
        let sent = rig.ticks(count - 1)
        #expect(rig.events.isEmpty && rig.stream.playing == Self.first)
        let last = rig.ticks(1)
        #expect(rig.events == [.finishedPlaying(Self.first)])
        #expect(rig.stream.playing == nil)
        let payload = (sent + last).flatMap(\.payload)
        #expect(payload == expected + Self.silence(count * frame - expected.count, codec))
        #expect((sent + last).allSatisfy { $0.payload.count == frame })
    }

    /// RFC 3550 §5.1: sequence by packet, timestamp by sample; RFC 3551 §4.1: marker at the start of a talk-spurt.
    @Test func timestampsRunOnAcrossPromptsAndSilence() throws {
        var rig = Rig()
        var sent = rig.ticks(3)
        rig.stream.play([.clip(Rig.clip("en", "short"))], id: Self.first)
        sent += rig.ticks(7)
        sent += rig.ticks(3)
        rig.stream.play([.clip(Rig.clip("en", "short"))], id: Self.second)
        sent += rig.ticks(2)
        rig.stream.play([.clip(Rig.clip("en", "other"))], id: Self.first)
        sent += rig.ticks(5)
        #expect(sent.count == 20)
        for (before, after) in zip(sent, sent.dropFirst()) {
            #expect(after.header.sequence == before.header.sequence &+ 1)
            #expect(after.header.timestamp == before.header.timestamp &+ 160)
            #expect(after.header.ssrc == before.header.ssrc)
        }
        // At the very first packet and where a prompt follows silence; not where one follows another.
        let marked = sent.indices.filter { sent[$0].header.marker }
        #expect(marked == [0, 3, 13])
        #expect(rig.events == [.finishedPlaying(Self.first), .finishedPlaying(Self.first)])
        #expect(rig.stream.counters.packetsSent == 20 && rig.stream.counters.octetsSent == 3200)
    }

    @Test func silenceKeepsTheStreamSteady() {
        var rig = Rig(agreement(.pcmu))
        let sent = rig.ticks(50)
        #expect(sent.count == 50)
        #expect(sent.allSatisfy { $0.payload == Self.silence(160, .pcmu) && $0.header.payloadType == 0 })
    }

    @Test func nothingIsSentBeforeAnAgreement() {
        var rig = Rig(nil)
        #expect(rig.ticks(3).isEmpty)
        rig.receive(rtp(Self.silence(160, .pcma)))
        #expect(rig.stream.counters.foreignSource == 1)
        #expect(rig.stream.destination == nil && rig.stream.reportDestination == nil)
    }

    @Test func loopsGoRoundWithoutASeamAndNeverFinish() {
        var rig = Rig()
        let music = Rig.clip("", "music")
        rig.stream.play([.clip(music)], id: Self.first, stopsOnDigit: false, loops: true)
        let sent = rig.ticks(100).flatMap(\.payload)
        let one = Self.bytes(music, .pcma)
        #expect(sent == (0..<sent.count).map { one[$0 % one.count] })
        #expect(rig.events.isEmpty)
    }

    @Test func emptyListsFinishAtOnceAlsoAsLoops() {
        var rig = Rig()
        for list in [[], [PlaylistItem.clip(Rig.clip("", "nothing"))], [.gap(milliseconds: -5)]] {
            rig.events = []
            rig.stream.play(list, id: Self.first, loops: true)
            #expect(rig.ticks(1).count == 1)
            #expect(rig.events == [.finishedPlaying(Self.first)])
        }
        let long = Array(repeating: PlaylistItem.gap(milliseconds: 1), count: 1025)
        let taken = [rig.stream.play(long, id: Self.first), rig.stream.play(Array(long.dropLast()), id: Self.second)]
        #expect(taken == [false, true] && rig.stream.playing == Self.second)
    }

    @Test func digitsStopOnlyPromptsThatAllowIt() {
        for stops in [true, false] {
            var rig = Rig()
            rig.stream.play([.clip(Rig.clip("", "music"))], id: Self.first, stopsOnDigit: stops)
            _ = rig.ticks(2)
            rig.receive(rtp(eventPayload(5), type: 101, timestamp: 1600))
            let told = rig.events.filter { if case .latched = $0 { false } else { true } }
            let digit = Digit("5").map { MediaEvent.digit($0) }
            #expect(told == ([stops ? .stoppedByDigit(Self.first) : nil, digit].compactMap { $0 }))
            let next = rig.ticks(1).first?.payload
            #expect((next == Self.silence(160, .pcma)) == stops)
        }
    }

    @Test func aCodecChangedInTheMiddleGoesOnAtTheSameSample() {
        var rig = Rig(agreement(.pcma))
        let music = Rig.clip("", "music")
        rig.stream.play([.clip(music)], id: Self.first)
        let before = rig.ticks(4).flatMap(\.payload)
        rig.stream.apply(agreement(.pcmu, ptime: 30), now: rig.now)
        let after = rig.ticks(4).flatMap(\.payload)
        #expect(before == Array(Self.bytes(music, .pcma)[..<640]))
        #expect(after == Array(Self.bytes(music, .pcmu)[640..<1600]))
    }

    /// RFC 3264 §8.4: who is on hold gets nothing; the clock goes on, and the next packet starts a talk-spurt.
    @Test(arguments: [MediaDirection.recvonly, .inactive]) func holdSendsNothingAndPromptsWait(
        direction: MediaDirection
    ) throws {
        var rig = Rig()
        let music = Rig.clip("", "music")
        rig.stream.play([.clip(music)], id: Self.first)
        let before = try #require(rig.ticks(2).last)
        rig.stream.apply(agreement(direction: direction), now: rig.now)
        #expect(rig.ticks(10).isEmpty)
        rig.stream.apply(agreement(), now: rig.now)
        let after = try #require(rig.ticks(1).first)
        #expect(after.header.marker)
        #expect(after.header.sequence == before.header.sequence &+ 1)
        #expect(after.header.timestamp == before.header.timestamp &+ 11 * 160)
        #expect(after.payload == Array(Self.bytes(music, .pcma)[320..<480]))
    }

    @Test func holdByUnspecifiedAddressSendsNothing() throws {
        var rig = Rig(agreement(remote: try #require(Endpoint("0.0.0.0:6000"))))
        #expect(rig.ticks(2).isEmpty && rig.stream.reportDestination == nil)
    }

    @Test func mutedStreamsSendNothingNotEvenReports() {
        var rig = Rig()
        rig.stream.isMuted = true
        #expect(rig.ticks(2).isEmpty)
        var buffer = [UInt8](repeating: 0, count: OutgoingReport.maximumByteCount)
        let length = buffer.withUnsafeMutableBytes {
            rig.stream.nextReport(into: $0, now: rig.now, wallClock: NTPTime(bits: 0))
        }
        #expect(length == 0)
    }

    @Test func sendonlyHearsNothing() {
        var rig = Rig(agreement(direction: .sendonly))
        rig.receive(rtp(eventPayload(5), type: 101))
        #expect(rig.digits.isEmpty && rig.ticks(1).count == 1)
    }

    @Test func skippedTicksShowInTheTimestampOnly() throws {
        var rig = Rig()
        let before = try #require(rig.ticks(1).first)
        rig.stream.skipTicks(5)
        let after = try #require(rig.ticks(1).first)
        #expect(after.header.timestamp == before.header.timestamp &+ 6 * 160)
        #expect(after.header.sequence == before.header.sequence &+ 1)
    }

    @Test func silenceOfTheCallerIsToldOnceAndOnlyWhereItIsAsked() {
        var rig = Rig(options: MediaStream.Options(timeout: .seconds(1)))
        _ = rig.ticks(51)
        #expect(rig.events.isEmpty)
        _ = rig.ticks(100)
        #expect(rig.events == [.timedOut])
        rig.receive(rtp(Self.silence(160, .pcma)))
        rig.events = []
        _ = rig.ticks(52)
        #expect(rig.events == [.timedOut])

        rig = Rig(agreement(direction: .sendonly), options: MediaStream.Options(timeout: .seconds(1)))
        _ = rig.ticks(200)
        rig.stream.apply(agreement(), now: rig.now)
        _ = rig.ticks(50)
        #expect(rig.events.isEmpty)
        var never = Rig()
        _ = never.ticks(5000)
        #expect(!never.events.contains(.timedOut))
    }

    /// Whoever refreshes a session must know whether the other side still speaks, whatever the time-out is.
    @Test func silenceAndItsEndAreTold() {
        var rig = Rig()
        _ = rig.ticks(500)
        #expect(rig.events.isEmpty)
        _ = rig.ticks(10)
        #expect(rig.events == [.fellSilent])
        rig.receive(rtp(Self.silence(160, .pcma)))
        #expect(rig.events.contains(.heardAgain))
        rig.events = []
        rig.receive(rtp(Self.silence(160, .pcma), sequence: 2))
        #expect(!rig.events.contains(.heardAgain))
    }

    /// RFC 3264 §8.4: who holds a call, by its direction or by an unspecified address, need not send anything.
    @Test func aCallerWhoHoldsIsNotSilent() throws {
        var held = agreement()
        held.remoteRTP.address = .v4(0)
        for hold in [agreement(direction: .recvonly), held] {
            var rig = Rig(options: MediaStream.Options(timeout: .seconds(1)))
            rig.stream.apply(hold, now: rig.now)
            _ = rig.ticks(500)
            #expect(rig.events.isEmpty)
            // Back again, its time begins anew.
            rig.stream.apply(agreement(), now: rig.now)
            _ = rig.ticks(50)
            #expect(rig.events.isEmpty)
            _ = rig.ticks(2)
            #expect(rig.events == [.timedOut])
        }
    }

    /// What is heard of a clip when its library is exchanged after one frame of 160 samples.
    private func heardAcrossExchange(successor samples: Int) -> [UInt8] {
        let first = ClipLibrary([(ClipName("clip"), [Int16](repeating: 8000, count: 400))])
        let next = ClipLibrary(
            [(ClipName("new"), [1]), (ClipName("clip"), [Int16](repeating: -8000, count: samples))], succeeding: first)
        var rig = Rig(library: first)
        rig.stream.play([.clip(ClipID(rawValue: 0))], id: PlaybackID(rawValue: 1))
        var heard = rig.tick()?.payload ?? []
        rig.stream.use(next.audio)
        heard += rig.ticks(3).flatMap(\.payload)
        #expect(rig.events == [.finishedPlaying(PlaybackID(rawValue: 1))])
        return heard
    }

    @Test(arguments: [400, 600, 100, 0]) func aClipGoesOnAtItsPlaceInALibraryThatReplacesItsOwn(samples: Int) {
        let heard = heardAcrossExchange(successor: samples)
        let (old, new) = (G711.alaw(8000), G711.alaw(-8000))
        #expect(heard.prefix(160).allSatisfy { $0 == old })
        let rest = heard.dropFirst(160).prefix(max(0, min(samples, 640) - 160))
        #expect(rest.count == max(0, min(samples, 640) - 160))
        #expect(rest.allSatisfy { $0 == new })
        #expect(heard.dropFirst(max(160, samples)).allSatisfy { $0 == G711.silence(.pcma) })
    }
}
