import Primitives

/// What a loop's handler wants sent. It is collected while a batch is handled and goes to the kernel at its end,
/// many datagrams a call. The bytes are shared, not copied.
public struct Outbox: ~Copyable {
    struct Datagram {
        var bytes: [UInt8]
        var destination: Endpoint
    }

    enum SocketCommand {
        case open(id: UInt32, remote: Endpoint, local: IPAddress?)
        case send(id: UInt32, bytes: [UInt8])
        case close(id: UInt32)
    }

    /// The most datagrams one batch may leave for one listener; more are dropped and counted.
    public static let limit = 65_536

    var queues: [[Datagram]]
    var commands: [SocketCommand] = []
    var wantsStop = false
    /// Datagrams that were not taken: the queue was full or the listener does not exist.
    public private(set) var refused: UInt64 = 0

    init(listeners: Int) { queues = Array(repeating: [], count: listeners) }

    /// Sends from a listener, by its place in the loop's configuration.
    public mutating func send(_ bytes: [UInt8], to destination: Endpoint, listener: UInt16) {
        let index = Int(listener)
        guard index < queues.count, queues[index].count < Outbox.limit else {
            refused &+= 1
            return
        }
        queues[index].append(Datagram(bytes: bytes, destination: destination))
    }

    /// Opens a socket of its own that hears only `remote`, under a number that the handler chooses.
    /// If it cannot be opened the handler is told by `socketFailed`. A number in use is closed first.
    public mutating func openSocket(_ id: UInt32, connectedTo remote: Endpoint, from local: IPAddress? = nil) {
        commands.append(.open(id: id, remote: remote, local: local))
    }

    public mutating func send(_ bytes: [UInt8], onSocket id: UInt32) { commands.append(.send(id: id, bytes: bytes)) }

    public mutating func closeSocket(_ id: UInt32) { commands.append(.close(id: id)) }

    /// Throws away what this batch wanted sent, on listeners and sockets: for a node that finds it was frozen
    /// and may no longer be who it was.
    public mutating func discardAll() {
        for index in queues.indices { queues[index].removeAll(keepingCapacity: true) }
        commands.removeAll { if case .send = $0 { true } else { false } }
    }

    var hasWork: Bool { !commands.isEmpty || queues.contains { !$0.isEmpty } }

    mutating func removeFirst(_ count: Int, listener: Int) {
        if count >= queues[listener].count {
            queues[listener].removeAll(keepingCapacity: true)
        } else {
            queues[listener].removeFirst(count)
        }
    }

    mutating func takeCommands() -> [SocketCommand] {
        defer { commands.removeAll(keepingCapacity: true) }
        return commands
    }

    /// Ends the loop after this batch is sent.
    public mutating func stopLoop() { wantsStop = true }

    /// What waits to be sent from a listener, for tests of handlers.
    public func pending(listener: UInt16) -> [(bytes: [UInt8], destination: Endpoint)] {
        guard Int(listener) < queues.count else { return [] }
        return queues[Int(listener)].map { ($0.bytes, $0.destination) }
    }
}
