private import COSIP

/// libosip2's memory for one message at a time: entered before a message is parsed, left when its values are copied out.
struct Arena: ~Copyable {
    private let raw: OpaquePointer

    /// - Parameter capacity: in bytes; what one message needs beyond it comes from malloc.
    init(capacity: Int) {
        guard let raw = cosip_arena_create(capacity) else { preconditionFailure("no memory for \(capacity) bytes") }
        self.raw = raw
    }

    deinit { cosip_arena_destroy(raw) }

    borrowing func enter() {
        guard cosip_arena_enter(raw) else { preconditionFailure("an arena is entered on this thread already") }
    }

    /// Everything allocated since `enter` is gone.
    borrowing func leave() { cosip_arena_leave(raw) }

    borrowing func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        guard let memory = cosip_arena_allocate(raw, count) else { preconditionFailure("no memory for \(count) bytes") }
        return memory
    }
}
