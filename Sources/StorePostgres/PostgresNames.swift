#if PostgreSQL
    import Foundation
    import Primitives
    import Synchronization

    /// Addresses of the hosts' names. The resolver of the C library, which libpq would call, blocks for many seconds where
    /// its servers are silent. So it runs on threads of its own, one a name, and where it is late or fails the last
    /// answer stands.
    final class PostgresNames: Sendable {
        enum Answer: Sendable, Equatable {
            case known([String])
            case unknown
            /// Ask again a little later.
            case pending
        }

        /// All addresses of a name, as text, the best first; none if there are none.
        typealias Resolver = @Sendable (String) -> [String]

        /// How long a look-up may take before the last answer is used instead.
        static let patience: Duration = .milliseconds(200)
        static let shared = PostgresNames(resolve: systemAddresses)

        private struct Entry {
            var addresses: [String] = []
            var answered: MonotonicTime?
            var isAsking = false
        }

        private let resolve: Resolver
        private let entries = Mutex<[String: Entry]>([:])

        init(resolve: @escaping Resolver) { self.resolve = resolve }

        /// Begins a look-up, unless one is under way.
        func ask(_ name: String) {
            let isAsking = entries.withLock { entries in
                defer { entries[name, default: Entry()].isAsking = true }
                return entries[name]?.isAsking ?? false
            }
            guard !isAsking else { return }
            let thread = Thread { [self] in
                let found = resolve(name)
                entries.withLock { entries in
                    if !found.isEmpty { entries[name]?.addresses = found }
                    entries[name]?.answered = PostgresConnection.now
                    entries[name]?.isAsking = false
                }
            }
            thread.name = "store-names"
            thread.start()
        }

        /// What is known of a name that was asked for at a time.
        func answer(_ name: String, askedAt asked: MonotonicTime) -> Answer {
            let entry = entries.withLock { $0[name] ?? Entry() }
            if let answered = entry.answered, answered >= asked {
                return entry.addresses.isEmpty ? .unknown : .known(entry.addresses)
            }
            guard PostgresConnection.now - asked >= Self.patience, !entry.addresses.isEmpty else { return .pending }
            return .known(entry.addresses)
        }

        /// Whether a host is given by a name that has to be looked up: no address, and no folder of a Unix socket.
        static func isName(_ host: String) -> Bool {
            guard let first = host.first, first != "/", first != "@" else { return false }
            var address = in6_addr()
            return inet_pton(AF_INET, host, &address) != 1 && inet_pton(AF_INET6, host, &address) != 1
        }

        private static func systemAddresses(of name: String) -> [String] {
            var hints = addrinfo()
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            hints.ai_flags = AI_ADDRCONFIG
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
            defer { freeaddrinfo(list) }
            var found: [String] = []
            var next = list
            while let info = next?.pointee {
                var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
                if getnameinfo(
                    info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
                {
                    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                    found.append(String(decoding: bytes, as: UTF8.self))
                }
                next = info.ai_next
            }
            return found
        }
    }
#endif
