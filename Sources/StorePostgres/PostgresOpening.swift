#if PostgreSQL
    import Foundation
    import Primitives
    import Store

    /// The way to a connection that takes writes. The preferred host has a head start over the next, and that over the
    /// one after it; those that refuse are tried again as long as another is still waited for. So neither a host that
    /// keeps silent nor a name server that does holds up the way to one that answers, not even to a standby that is
    /// promoted in between.
    struct PostgresOpening {
        static let headStart: Duration = .milliseconds(100)
        /// How long a host that refused is left alone.
        static let secondTry: Duration = .milliseconds(200)
        /// How often it is looked whether a name has its addresses.
        private static let lookAgain: Duration = .milliseconds(10)

        private struct Attempt {
            let host: Int
            /// When it is begun, or begun again.
            var due: MonotonicTime
            /// Yet to be tried; empty text is what the URL says.
            var addresses: [String] = []
            var connection: PostgresConnection?
            /// How long this connection is waited for.
            var until = MonotonicTime.zero
            var trouble: StoreTrouble?

            /// It may lead to a connection yet.
            var isOpen: Bool { connection != nil || trouble == nil || !addresses.isEmpty }
        }

        private let address: PostgresAddress
        private let hosts: PostgresHosts
        private let names: PostgresNames
        private let patience: PostgresPatience
        private let begun: MonotonicTime
        private let end: MonotonicTime
        private var attempts: [Attempt]

        init(_ address: PostgresAddress, hosts: PostgresHosts, names: PostgresNames, patience: PostgresPatience) {
            self.address = address
            self.hosts = hosts
            self.names = names
            self.patience = patience
            let count = address.hosts.count
            let begun = PostgresConnection.now
            let first = hosts.preferred
            self.begun = begun
            end = begun + address.patience + Self.headStart * (count - 1)
            attempts = (0..<count).map { place in
                Attempt(host: (first + place) % count, due: begun + Self.headStart * place)
            }
        }

        mutating func run() throws(StoreTrouble) -> (PostgresConnection, host: Int) {
            for case let name? in address.hosts.map(\.nameToResolve) { names.ask(name) }
            while true {
                let now = PostgresConnection.now
                for index in attempts.indices {
                    if attempts[index].connection == nil {
                        if now >= attempts[index].due { begin(index, at: now) }
                    } else if now >= attempts[index].until {
                        if patience.tellsSilence { hosts.noteSilence(of: attempts[index].host) }
                        fail(index, silence(of: index), at: now)
                    }
                }
                guard now < end, attempts.contains(where: \.isOpen) else { throw verdict() }
                if let found = wait() {
                    hosts.noteWritable(found.host)
                    return found
                }
            }
        }

        private mutating func begin(_ index: Int, at now: MonotonicTime) {
            var host = address.hosts[attempts[index].host]
            if attempts[index].addresses.isEmpty {
                guard let name = host.nameToResolve else { return begin(index, [""], at: now) }
                switch names.answer(name, askedAt: begun) {
                case .known(let addresses): return begin(index, addresses, at: now)
                case .pending: attempts[index].due = now + Self.lookAgain
                case .unknown:
                    let place = address.description(of: host)
                    fail(index, StoreTrouble(.unreachable, "\(place): the name has no address"), at: now)
                }
                return
            }
            // Each of several addresses has its share of the time.
            attempts[index].until = now + address.patience / attempts[index].addresses.count
            let next = attempts[index].addresses.removeFirst()
            if !next.isEmpty { host.address = next }
            let hosts = hosts
            let number = attempts[index].host
            let tellsSilence = patience.tellsSilence
            do throws(StoreTrouble) {
                attempts[index].connection = try PostgresConnection.begin(
                    address.parameters(for: host), place: address.description(of: host), patience: patience,
                    silent: { if tellsSilence { hosts.noteSilence(of: number) } })
            } catch {
                fail(index, error, at: now)
            }
        }

        private mutating func begin(_ index: Int, _ addresses: [String], at now: MonotonicTime) {
            attempts[index].addresses = addresses
            begin(index, at: now)
        }

        private mutating func fail(_ index: Int, _ trouble: StoreTrouble, at now: MonotonicTime) {
            attempts[index].connection = nil
            attempts[index].trouble = trouble
            attempts[index].due = attempts[index].addresses.isEmpty ? now + Self.secondTry : now
            // Whoever waits for their turn has it now.
            for other in attempts.indices where attempts[other].connection == nil && attempts[other].trouble == nil {
                attempts[other].due = min(attempts[other].due, now)
            }
        }

        /// Waits until something happens, and does what follows from it.
        private mutating func wait() -> (PostgresConnection, host: Int)? {
            let watching = attempts.indices.filter { attempts[$0].connection != nil }
            var watched = watching.compactMap { index in
                attempts[index].connection.map { pollfd(fd: $0.socket, events: $0.wanted, revents: 0) }
            }
            let next = attempts.map { $0.connection == nil ? $0.due : $0.until }.min() ?? end
            let left = min(next, end) - PostgresConnection.now
            let count = poll(&watched, nfds_t(watched.count), Int32(clamping: max(0, left.wholeMilliseconds) + 1))
            guard count > 0 else { return nil }
            for (index, seen) in zip(watching, watched) where seen.revents != 0 {
                guard let connection = attempts[index].connection else { continue }
                do throws(StoreTrouble) {
                    if try connection.advance() { return (connection, attempts[index].host) }
                } catch {
                    fail(index, error, at: PostgresConnection.now)
                }
            }
            return nil
        }

        private func silence(of index: Int) -> StoreTrouble {
            StoreTrouble(
                .unreachable, "\(address.description(of: address.hosts[attempts[index].host])) does not answer")
        }

        private func verdict() -> StoreTrouble {
            let troubles = attempts.indices.map { index -> StoreTrouble in
                if let trouble = attempts[index].trouble { return trouble }
                if attempts[index].connection != nil { return silence(of: index) }
                let host = address.hosts[attempts[index].host]
                return StoreTrouble(.unreachable, "\(address.description(of: host)): no name server answers")
            }
            // What the operator must mend comes before what may pass by itself.
            let kind = troubles.first { $0.kind != .unreachable }?.kind ?? .unreachable
            let details = Set(troubles.filter { $0.kind == kind }.map(\.detail)).sorted()
            return StoreTrouble(kind, details.joined(separator: "; "))
        }
    }
#endif
