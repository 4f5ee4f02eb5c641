import Session
import Store
import Synchronization

/// Registers a node and tells the store once a second that it lives. When the others hold this incarnation for dead,
/// the node is told so and goes on as a new one (DESIGN.md, Death of a center, 5).
public final class Heartbeat: Sendable {
    private let task: Task<Void, Never>
    private let registered: CurrentRegistration

    /// - Parameter fenced: called with the new identity each time the store answers that the present one is dead.
    public init(
        _ registration: NodeRegistration, in store: any Store,
        fenced: @escaping @Sendable (NodeIdentity) -> Void = { _ in }
    ) {
        let current = CurrentRegistration(registration)
        registered = current
        task = Task {
            var isRegistered = false
            while !Task.isCancelled {
                let registration = current.value
                let reply =
                    isRegistered
                    ? await store.submit(.heartbeat(registration.identity)) : await store.submit(.register(registration))
                switch reply {
                case .done: isRegistered = true
                case .notFound: isRegistered = false
                case .fenced:
                    isRegistered = false
                    guard let next = NodeIdentity.begin(name: registration.identity.name) else { break }
                    current.renew(next)
                    fenced(next)
                    continue
                default: break
                }
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Who the node is now.
    public var identity: NodeIdentity { registered.value.identity }

    public func stop() { task.cancel() }
}

/// The registration in force; renewed by the heartbeat, read by health pages.
private final class CurrentRegistration: Sendable {
    private let registration: Mutex<NodeRegistration>

    init(_ registration: NodeRegistration) { self.registration = Mutex(registration) }

    var value: NodeRegistration { registration.withLock { $0 } }
    func renew(_ identity: NodeIdentity) { registration.withLock { $0.identity = identity } }
}
