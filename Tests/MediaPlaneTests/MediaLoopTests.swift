import Media
import NetworkIO
import Primitives
import SDP
import Synchronization
import Testing

@testable import MediaPlane

/// The loop on its own thread.
@Suite(.timeLimit(.minutes(10))) struct MediaLoopTests {
    @Test func aStreamOnItsThreadPlaysAndTells() async throws {
        let (events, tell) = AsyncStream.makeStream(of: (StreamID, MediaEvent).self)
        let pool = PortPool(address: loopback, first: 32_500, last: 32_503)
        let loop = try MediaLoop.start(
            MediaLoopConfiguration(streamLimit: 1), ports: pool, library: Bench.library, seed: 7
        ) { tell.yield(($0, $1)) }
        let phone = try Phone()
        let stream = try loop.openStream()
        #expect(stream.rtp.port % 2 == 0)
        #expect(throws: StreamRefusal.limit(1)) { try loop.openStream() }
        loop.send(.apply(phone.agreement()), to: stream.id)
        loop.send(.play([Bench.clip], id: Bench.playback), to: stream.id)
        for await (id, event) in events {
            #expect(id == stream.id && event == .finishedPlaying(Bench.playback))
            break
        }
        // What comes after the clip is silence, as long as nobody closes the stream.
        #expect(phone.heard().count >= 13)
        #expect(loop.counters.packetsSent.value >= 12)
        loop.stop()
        await loop.waitUntilStopped()
        #expect(phone.reports().last?.suffix(8).prefix(2) == [0x81, 203])
        #expect(pool.available == 2 && loop.counters.streams.load(ordering: .relaxed) == 0)
        #expect(throws: StreamRefusal.busy) { try loop.openStream() }
        #expect(pool.available == 2)
    }

    @Test func descriptorsAreRaisedForTheCallsAndNeverLowered() {
        let before = DescriptorLimit.raise(to: 0)
        #expect(before > 0)
        let raised = DescriptorLimit.raise(to: before + 10)
        #expect(raised >= before && raised <= before + 10)
        #expect(DescriptorLimit.raise(to: 1) == raised)
    }
}
