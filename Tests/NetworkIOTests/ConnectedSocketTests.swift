import Glibc
import NetworkIO
import Primitives
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ConnectedSocketTests {
    @Test func connectedSocketHearsItsPeer() async throws {
        let echo = try RecordingLoop(echoes: true)
        let loop = try RecordingLoop()
        loop.post(.open(7, echo.endpoint))
        loop.post(.sendOnSocket(7, [1, 2]))
        #expect(await loop.next() == .socketDatagram(7, [1, 2]))
    }

    /// An unconnected UDP socket without an error queue never sees ICMP; a connected one is told at once.
    @Test func everyRefusedDatagramIsReported() async throws {
        let loop = try RecordingLoop()
        loop.post(.open(1, try closedPort()))
        for _ in 0..<3 {
            loop.post(.sendOnSocket(1, [1]))
            #expect(await loop.next() == .socketFailed(1, error: ECONNREFUSED))
        }
    }

    @Test func socketWorksAgainWhenItsPeerIsBack() async throws {
        let dead = try closedPort()
        let loop = try RecordingLoop()
        loop.post(.open(1, dead))
        loop.post(.sendOnSocket(1, [1]))
        #expect(await loop.next() == .socketFailed(1, error: ECONNREFUSED))
        let back = try RecordingLoop(listeners: [dead], echoes: true)
        loop.post(.sendOnSocket(1, [2]))
        #expect(await loop.next() == .socketDatagram(1, [2]))
        withExtendedLifetime(back) {}
    }

    @Test func closedSocketSaysNothingMore() async throws {
        let echo = try RecordingLoop(echoes: true)
        let loop = try RecordingLoop()
        loop.post(.open(1, echo.endpoint))
        loop.post(.open(2, echo.endpoint))
        loop.post(.close(1))
        loop.post(.sendOnSocket(1, [1]))
        loop.post(.sendOnSocket(2, [2]))
        #expect(await loop.next() == .socketDatagram(2, [2]))
    }

    @Test func socketsOverTheLimitAreRefused() async throws {
        let echo = try RecordingLoop(echoes: true)
        let loop = try RecordingLoop { $0.socketLimit = 1 }
        loop.post(.open(1, echo.endpoint))
        loop.post(.open(2, echo.endpoint))
        #expect(await loop.next() == .socketFailed(2, error: EMFILE))
    }
}
