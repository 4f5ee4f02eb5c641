import NetworkIO
import Primitives
import Routing
import SIP
import Synchronization

/// A node that does nothing but answer pings, on a real socket.
final class FakeNode: Sendable {
    struct State: Sendable {
        var name: String
        var incarnation: String
        var load: NodeLoad?
        var status = 200
        var isSilent = false
        var pings = 0
        var branches: Set<String> = []
        /// What the last ping told.
        var notice: NodeNotice?
        var peers: PeerList?
        var takeovers: [TakeoverNotice] = []
    }

    final class Shared: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }
    }

    let shared: Shared
    private let loop: DatagramLoop<Handler>

    init(_ name: String, incarnation: String = "k1", at endpoint: Endpoint = FakeNode.anyPort) throws {
        let shared = Shared(State(name: name, incarnation: incarnation, load: NodeLoad(calls: 3, limit: 100)))
        self.shared = shared
        loop = try DatagramLoop.start(LoopConfiguration(name: name, listeners: [endpoint])) { Handler(shared: shared) }
    }

    static let anyPort = Endpoint(.v4(0x7F00_0001), port: 0)

    var endpoint: Endpoint { loop.endpoints.first ?? Self.anyPort }
    var state: State { shared.state.withLock { $0 } }
    func set(_ change: (inout State) -> Void) { shared.state.withLock { change(&$0) } }

    /// Its port is refused from then on.
    func kill() async {
        loop.stop()
        await loop.waitUntilStopped()
    }

    struct Handler: DatagramHandler {
        let shared: Shared
        let parser = MessageParser()

        mutating func receive(
            _ bytes: UnsafeRawBufferPointer, from source: Endpoint, listener: UInt16, now: MonotonicTime,
            into outbox: inout Outbox
        ) {
            guard let ping = try? parser.parse(bytes, transport: .udp), ping.method == .options else { return }
            let state = shared.state.withLock { state in
                state.pings += 1
                if let branch = ping.via.first?.branch { state.branches.insert(branch) }
                state.peers = ping.first(.tandemPeers).flatMap { PeerList(headerValue: $0) }
                state.takeovers = ping.values(of: .tandemTakeover).compactMap { TakeoverNotice(headerValue: $0) }
                state.notice = ping.first(.tandemNode).flatMap { NodeNotice(headerValue: $0) }
                return state
            }
            guard !state.isSilent else { return }
            let signature = NodeNotice(node: state.name, incarnation: state.incarnation).headerValue
            var headers: [(HeaderName, String)] = [(.tandemNode, signature)]
            if let load = state.load { headers.append((.tandemLoad, load.headerValue)) }
            let answer = MessageWriter.response(
                to: ping, status: state.status, toTag: "t", source: source, headers: headers)
            outbox.send(answer, to: source, listener: listener)
        }

        mutating func receive(_ message: Never, now: MonotonicTime, into outbox: inout Outbox) {}
        mutating func nextDeadline() -> MonotonicTime? { nil }
        mutating func fire(now: MonotonicTime, into outbox: inout Outbox) {}
    }
}
