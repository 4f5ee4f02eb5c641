import Session
import Store
import Synchronization

/// Registers a node and tells the store once a second that it lives. When the others hold this incarnation for dead,
/// the node is told so and goes on as a new one (TAKEOVER.md, The old owner).
public final class Heartbeat: Sendable {
    private let task: Task<Void, Never>
    private let registered: CurrentRegistration

    /// - Parameter fenced: called with the new identity each time the present one is dead: the store says so, or a
    ///   master by `renew`.
    public init(
        _ registration: NodeRegistration, in store: any Store,
        fenced: @escaping @Sendable (NodeIdentity) -> Void = { _ in }
    ) {
        let current = CurrentRegistration(registration, fenced: fenced)
        registered = current
        task = Task {
            var inStore: NodeIdentity?
            while !Task.isCancelled {
                let registration = current.value
                let identity = registration.identity
                let reply =
                    inStore == identity
                    ? await store.submit(.heartbeat(identity)) : await store.submit(.register(registration))
                switch reply {
                case .done: inStore = identity
                case .notFound: inStore = nil
                case .fenced:
                    inStore = nil
                    guard current.renew(identity) else { break }
                    continue
                default: break
                }
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Who the node is now.
    public var identity: NodeIdentity { registered.value.identity }

    /// The others hold that incarnation for dead: goes on as a new one, which the next beat registers. Does nothing
    /// when the node is another by now.
    public func renew(_ dead: NodeIdentity) { _ = registered.renew(dead) }

    public func stop() { task.cancel() }
}

/// The registration in force; renewed by the heartbeat, read by health pages.
private final class CurrentRegistration: Sendable {
    private let registration: Mutex<NodeRegistration>
    private let fenced: @Sendable (NodeIdentity) -> Void

    init(_ registration: NodeRegistration, fenced: @escaping @Sendable (NodeIdentity) -> Void) {
        self.registration = Mutex(registration)
        self.fenced = fenced
    }

    var value: NodeRegistration { registration.withLock { $0 } }

    /// True when the node has another identity than the dead one now.
    func renew(_ dead: NodeIdentity) -> Bool {
        let next = registration.withLock { registration -> NodeIdentity? in
            guard registration.identity == dead, let next = NodeIdentity.begin(name: dead.name) else { return nil }
            registration.identity = next
            return next
        }
        if let next { fenced(next) }
        return value.identity != dead
    }
}
