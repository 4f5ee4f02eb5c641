#if PostgreSQL
    private import CPostgres
    import Foundation
    import Primitives
    import Store

    /// One connection in libpq's pipeline mode. Statements are sent without waiting for one another's results; whoever
    /// needs a result waits for all up to it. Used by one thread at a time.
    ///
    /// Every wait ends: a server that does not answer in time is a lost connection.
    final class PostgresConnection {
        /// What results the server still owes, in order.
        private enum Owed {
            case preparation(String)
            case result
            case synchronization
        }

        private let raw: OpaquePointer
        /// For messages.
        let place: String
        private let patience: PostgresPatience
        /// Called when the server did not answer in time.
        private let silent: @Sendable () -> Void
        /// Names of prepared statements by their text.
        private var statements: [String: String] = [:]
        private var prepared = 0
        private var owed: [Owed] = []
        /// The first error since the last synchronization: the server ignores everything after it.
        private var failure: PostgresError?
        /// Set once: nothing more can be done with this connection.
        private(set) var trouble: StoreTrouble?
        private let notices = Notices()

        /// Warnings, which would otherwise go to the standard error stream.
        private final class Notices {
            var warnings = 0
        }

        private init(
            _ raw: OpaquePointer, place: String, patience: PostgresPatience, silent: @escaping @Sendable () -> Void
        ) {
            self.raw = raw
            self.place = place
            self.patience = patience
            self.silent = silent
            PQsetNoticeReceiver(
                raw,
                { context, result in
                    guard let context, let severity = PQresultErrorField(result, PostgresConnection.severity) else {
                        return
                    }
                    if String(cString: severity) == "WARNING" {
                        Unmanaged<Notices>.fromOpaque(context).takeUnretainedValue().warnings += 1
                    }
                }, Unmanaged.passUnretained(notices).toOpaque())
        }

        deinit { PQfinish(raw) }

        // MARK: Opening

        /// PG_DIAG_SEVERITY_NONLOCALIZED, PG_DIAG_SQLSTATE, PG_DIAG_MESSAGE_PRIMARY.
        private static let severity = Int32(UInt8(ascii: "V"))
        private static let state = Int32(UInt8(ascii: "C"))
        private static let primaryMessage = Int32(UInt8(ascii: "M"))

        /// Begins a connection to one host, whose address needs no looking up. `advance` does the rest.
        static func begin(
            _ parameters: [(keyword: String, value: String)], place: String, patience: PostgresPatience,
            silent: @escaping @Sendable () -> Void
        ) throws(StoreTrouble) -> PostgresConnection {
            let keywords = parameters.map { strdup($0.keyword) } + [nil]
            let values = parameters.map { strdup($0.value) } + [nil]
            defer { for text in keywords + values { free(text) } }
            let raw = keywords.map { UnsafePointer($0) }.withUnsafeBufferPointer { keywords in
                values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                    keywords.baseAddress.flatMap { keywords in
                        values.baseAddress.flatMap { PQconnectStartParams(keywords, $0, 0) }
                    }
                }
            }
            guard let raw else { throw StoreTrouble(.io, "no memory for a connection") }
            let connection = PostgresConnection(raw, place: place, patience: patience, silent: silent)
            guard PQstatus(raw) != CONNECTION_BAD else { throw connection.refusal() }
            return connection
        }

        /// What `poll` is to watch, while the connection is being made.
        var socket: Int32 { PQsocket(raw) }
        private(set) var wanted = Int16(POLLOUT)

        /// Goes on when the socket is ready. True when the server has let us in and is one that the store can use.
        func advance() throws(StoreTrouble) -> Bool {
            switch PQconnectPoll(raw) {
            case PGRES_POLLING_OK:
                try check()
                return true
            case PGRES_POLLING_READING: wanted = Int16(POLLIN)
            case PGRES_POLLING_WRITING: wanted = Int16(POLLOUT)
            default: throw refusal()
            }
            return false
        }

        /// Why the server was not reached or let nobody in: libpq's words, on one line.
        private func refusal() -> StoreTrouble {
            let words = PQerrorMessage(raw).map { String(cString: $0) } ?? ""
            let line = words.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no connection"
            let mends = [
                "authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry",
                "certificate", "SSL", "permission denied",
            ]
            let isDenied = mends.contains { line.contains($0) }
            return StoreTrouble(isDenied ? .denied : .unreachable, "\(place): \(line)")
        }

        private func check() throws(StoreTrouble) {
            let version = PQserverVersion(raw)
            guard version >= 150_000 else {
                throw StoreTrouble(.schema, "\(place) is PostgreSQL \(version / 10_000), 15 or newer is needed")
            }
            let encoding = PQparameterStatus(raw, "server_encoding").map { String(cString: $0) } ?? ""
            guard encoding == "UTF8" else {
                throw StoreTrouble(.schema, "the database at \(place) is in \(encoding); make one with ENCODING 'UTF8'")
            }
            guard PQsetnonblocking(raw, 1) == 0, PQenterPipelineMode(raw) == 1 else { throw lost() }
        }

        // MARK: Statements

        /// Sends a statement and does not wait; an error shows at the next wait.
        func send(_ sql: String, _ values: [PostgresValue] = []) throws {
            if let trouble { throw trouble }
            // The server would ignore it: what went wrong is told at once.
            if let failure { throw failure }
            let name: String
            if let known = statements[sql] {
                name = known
            } else {
                name = "s\(prepared)"
                prepared += 1
                let types = values.map { Oid($0.kind.rawValue) }
                guard PQsendPrepare(raw, name, sql, Int32(clamping: types.count), types) == 1 else { throw lost() }
                owed.append(.preparation(sql))
                statements[sql] = name
            }
            let lengths = values.map { Int32(clamping: $0.bytes?.count ?? 0) }
            let formats = [Int32](repeating: 1, count: values.count)
            let sent = Self.withPointers(values[...], []) { pointers in
                PQsendQueryPrepared(raw, name, Int32(clamping: values.count), pointers, lengths, formats, 1)
            }
            guard sent == 1 else { throw lost() }
            owed.append(.result)
        }

        /// Sends a statement and waits for its result, and so for all that was sent before. Throws the first error.
        func run(_ sql: String, _ values: [PostgresValue] = []) throws -> PostgresResult {
            try send(sql, values)
            return try finish(within: patience.answer).result
        }

        /// Waits for everything that was sent, whatever came of it: after an error the server listens again from here.
        func synchronize() throws {
            do { _ = try finish(within: patience.answer) } catch let error as PostgresError where trouble == nil {
                _ = error
            }
        }

        /// COMMIT. False where the server rolled back instead. `trouble` is set, and this throws, where nobody knows.
        /// `sent` is called before the answer is waited for.
        func commit(sent: () -> Void = {}) throws -> Bool {
            let before = notices.warnings
            try send("COMMIT")
            let tag = try finish(within: patience.commit, sent: sent).tag
            // "The transaction has already committed locally, but might not have been replicated to the standby."
            guard notices.warnings == before else {
                let doubt = StoreTrouble(.unresolved, "\(place) committed without its standby")
                trouble = doubt
                throw doubt
            }
            return tag == "COMMIT"
        }

        /// Every wait ends with Sync, not with Flush: only then does the server count a client that freezes as idle in
        /// its transaction, and cuts it off. Outside of a transaction it is also what ends one.
        private func finish(within span: Duration, sent: () -> Void = {}) throws -> Drained {
            if let trouble { throw trouble }
            guard PQpipelineSync(raw) == 1 else { throw lost() }
            owed.append(.synchronization)
            sent()
            let last = try drain(until: Self.now + span)
            if let failure {
                self.failure = nil
                throw failure
            }
            return last
        }

        // MARK: The wire

        private struct Drained {
            var result = PostgresResult()
            var tag = ""
        }

        /// Reads all that is owed; remembers the first error.
        private func drain(until deadline: MonotonicTime) throws -> Drained {
            var last = Drained()
            var index = 0
            defer { owed.removeFirst(min(index, owed.count)) }
            while index < owed.count {
                switch owed[index] {
                case .synchronization:
                    var result = try next(deadline)
                    // The end of the statement before may be told twice.
                    if result == nil { result = try next(deadline) }
                    guard let result, PQresultStatus(result) == PGRES_PIPELINE_SYNC else { throw lost() }
                    PQclear(result)
                case .preparation(let sql):
                    while let result = try next(deadline) { _ = note(result) }
                    // Whatever came before it: after an error nothing is prepared.
                    if failure != nil { statements[sql] = nil }
                case .result:
                    while let result = try next(deadline) {
                        if let drained = note(result) { last = drained }
                    }
                }
                index += 1
                // A fatal error is the last the server says: what it would still owe never comes.
                if failure != nil, PQstatus(raw) == CONNECTION_BAD { throw lost() }
            }
            return last
        }

        /// Takes a result over and frees it; nil where it is none that counts.
        private func note(_ result: OpaquePointer) -> Drained? {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                var drained = Drained()
                drained.tag = PQcmdStatus(result).map { String(cString: $0) } ?? ""
                drained.result.changed = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
                drained.result.rows = Self.rows(result)
                return drained
            case PGRES_PIPELINE_ABORTED: return nil
            default:
                if failure == nil { failure = Self.error(result) }
                return nil
            }
        }

        private static func error(_ result: OpaquePointer) -> PostgresError {
            func field(_ code: Int32) -> String { PQresultErrorField(result, code).map { String(cString: $0) } ?? "" }
            return PostgresError(state: field(state), message: field(primaryMessage))
        }

        private static func rows(_ result: OpaquePointer) -> [PostgresRow] {
            let columns = 0..<PQnfields(result)
            return (0..<PQntuples(result)).map { row in
                PostgresRow(
                    columns: columns.map { column -> [UInt8]? in
                        guard PQgetisnull(result, row, column) == 0, let start = PQgetvalue(result, row, column) else {
                            return nil
                        }
                        let bytes = UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(result, row, column)))
                        return [UInt8](bytes)
                    })
            }
        }

        /// The next result, or nil at the end of one statement's. Waits for the server, writing meanwhile what is left.
        private func next(_ deadline: MonotonicTime) throws -> OpaquePointer? {
            while true {
                let unsent = PQflush(raw)
                guard unsent >= 0 else { throw lost() }
                if PQisBusy(raw) == 0 { return PQgetResult(raw) }
                let events = unsent > 0 ? POLLIN | POLLOUT : POLLIN
                guard let ready = Self.wait(PQsocket(raw), for: events, until: deadline) else {
                    silent()
                    throw lost("does not answer")
                }
                if ready & Int16(POLLIN | POLLHUP | POLLERR) != 0, PQconsumeInput(raw) == 0 { throw lost() }
            }
        }

        /// From here on this connection is of no use.
        private func lost(_ why: String? = nil) -> StoreTrouble {
            if let trouble { return trouble }
            let said = failure?.trouble(at: place)
            let words = why ?? PQerrorMessage(raw).map { String(cString: $0) } ?? ""
            let line = words.split(whereSeparator: \.isNewline).first.map(String.init) ?? "the connection was lost"
            let trouble = said ?? StoreTrouble(.unreachable, "\(place): \(line)")
            self.trouble = trouble
            return trouble
        }

        /// Marks the connection as one of which nobody knows whether the last COMMIT was done.
        func abandon(_ trouble: StoreTrouble) { self.trouble = trouble }

        // MARK: Below libpq

        static var now: MonotonicTime {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
        }

        /// What happened at the socket; nil when the time is up.
        private static func wait(_ socket: Int32, for events: Int32, until deadline: MonotonicTime) -> Int16? {
            while true {
                let left = deadline - now
                guard left > .zero else { return nil }
                var watched = pollfd(fd: socket, events: Int16(events), revents: 0)
                let count = poll(&watched, 1, Int32(clamping: left.wholeMilliseconds + 1))
                if count > 0 { return watched.revents }
                guard count == 0 || errno == EINTR else { return nil }
            }
        }

        /// The values' bytes as an array of pointers that live as long as `body`.
        private static func withPointers<Result>(
            _ values: ArraySlice<PostgresValue>, _ pointers: [UnsafePointer<CChar>?],
            _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
        ) -> Result {
            guard let value = values.first else { return pointers.withUnsafeBufferPointer { body($0.baseAddress) } }
            guard let bytes = value.bytes else { return withPointers(values.dropFirst(), pointers + [nil], body) }
            // An empty array has no address, which would say NULL.
            return (bytes.isEmpty ? [0] : bytes).withUnsafeBytes { buffer in
                withPointers(
                    values.dropFirst(), pointers + [buffer.baseAddress?.assumingMemoryBound(to: CChar.self)], body)
            }
        }
    }
#endif
