import MediaPlane
import NetworkIO
import Primitives
import Testing

// Each suite has ports of its own, so that they may run side by side.
@Suite struct PortPoolTests {
    /// RFC 3550 §11: RTP on an even port, RTCP on the next.
    @Test(
        arguments: [
            (31_000, 31_007, 4), (31_001, 31_008, 3), (31_000, 31_000, 0), (31_001, 31_002, 0), (65_532, 65_535, 2),
        ]
            as [(UInt16, UInt16, Int)])
    func theRangeHoldsEvenAndOddPairs(first: UInt16, last: UInt16, pairs: Int) {
        #expect(PortPool(address: loopback, first: first, last: last).capacity == pairs)
    }

    @Test func pairsAreGivenInTurnAndRefusedWhenAllAreInUse() throws {
        let pool = PortPool(address: loopback, first: 31_100, last: 31_105)
        var pairs = try (0..<3).map { _ in try pool.take() }
        #expect(pairs.map(\.rtp.local.port) == [31_100, 31_102, 31_104])
        #expect(pairs.map(\.rtcp.local.port) == [31_101, 31_103, 31_105])
        #expect(pool.available == 0)
        #expect(throws: PortRefusal.exhausted(pairs: 3)) { try pool.take() }
        pairs.remove(at: 1)
        pairs.remove(at: 0)
        #expect(pool.available == 2)
        // The one that was free longest comes first.
        #expect(try pool.take().rtp.local.port == 31_102)
        #expect(try pool.take().rtp.local.port == 31_100)
    }

    @Test func aReleasedPairRestsWhileOthersAreFree() throws {
        let pool = PortPool(address: loopback, first: 31_200, last: 31_207, startingAt: 6)
        let ports = try (0..<8).map { _ in try pool.take().rtp.local.port }
        #expect(ports == [31_204, 31_206, 31_200, 31_202, 31_204, 31_206, 31_200, 31_202])
    }

    @Test func pairsOfOtherProcessesArePassedOver() throws {
        let pool = PortPool(address: loopback, first: 31_300, last: 31_305)
        let foreign = try DatagramSocket(Endpoint(loopback, port: 31_301))
        let pair = try pool.take()
        #expect(pair.rtp.local.port == 31_302)
        let second = try pool.take()
        #expect(second.rtp.local.port == 31_304)
        #expect(throws: PortRefusal.taken(tried: PortPool.attempts)) { try pool.take() }
        #expect(pool.available == 1)
        withExtendedLifetime(foreign) {}
    }

    @Test func anAddressThatIsNotOursIsSaidSo() throws {
        let pool = PortPool(address: .v4(0xC000_0201), first: 31_400, last: 31_401)
        let refusal = #expect(throws: PortRefusal.self) { try pool.take() }
        #expect(refusal?.description == "RTP socket 192.0.2.1:31400/udp: is not an address of this machine")
    }
}
