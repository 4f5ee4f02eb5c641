#if PostgreSQL
    import Banking
    import Primitives
    import Routing
    import Session
    import Store

    /// The store's tables in PostgreSQL, within one transaction of one connection. Writes whose result nobody needs are
    /// sent and not waited for.
    struct PostgresTables {
        let connection: PostgresConnection
        /// False within a read-only transaction, which must not lock.
        let isWriting: Bool
        /// The checkpoint of the request that runs now, encoded before the transaction began.
        var encoded: [UInt8]?

        func encodedCheckpoint(_ checkpoint: Checkpoint) throws -> [UInt8] { try encoded ?? checkpoint.encoded() }

        func first(_ sql: String, _ values: [PostgresValue] = []) throws -> PostgresRow? {
            try connection.run(sql, values).rows.first
        }

        func all<Value>(
            _ sql: String, _ values: [PostgresValue] = [], _ read: (PostgresRow) throws -> Value
        ) throws -> [Value] {
            try connection.run(sql, values).rows.map(read)
        }

        func send(_ sql: String, _ values: [PostgresValue] = []) throws { try connection.send(sql, values) }
    }

    extension PostgresTables {
        private static let nodeColumns = """
            name, incarnation, role, pid, process_start, http_address, checkpoint_low, checkpoint_high, registered_ms,
            heartbeat_ms, host, boot_id
            """

        private static func storedNode(_ row: PostgresRow) throws -> StoredNode {
            let low = try row.small(6)
            return StoredNode(
                registration: NodeRegistration(
                    identity: try RowCoding.identity(name: row.text(0), incarnation: row.text(1)), role: try row.raw(2),
                    pid: Int32(truncatingIfNeeded: try row.integer(3)),
                    processStart: UInt64(bitPattern: try row.integer(4)), httpAddress: try row.text(5),
                    checkpointVersions: low...max(low, try row.small(7)),
                    machine: MachineIdentity(host: try row.text(10), bootID: try row.text(11))),
                registered: WallTime(milliseconds: try row.integer(8)),
                lastHeartbeat: WallTime(milliseconds: try row.integer(9)))
        }

        func node(named name: String) throws -> StoredNode? {
            try first("SELECT \(Self.nodeColumns) FROM nodes WHERE name = $1", [.text(name)]).map(Self.storedNode)
        }

        func put(_ node: StoredNode) throws {
            let registration = node.registration
            try send(
                """
                INSERT INTO nodes (\(Self.nodeColumns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, role = excluded.role,
                    pid = excluded.pid, process_start = excluded.process_start, http_address = excluded.http_address,
                    checkpoint_low = excluded.checkpoint_low, checkpoint_high = excluded.checkpoint_high,
                    registered_ms = excluded.registered_ms, heartbeat_ms = excluded.heartbeat_ms, host = excluded.host,
                    boot_id = excluded.boot_id
                """,
                [
                    .text(registration.identity.name), .text(registration.identity.incarnation),
                    .text(registration.role.rawValue), .integer(Int64(registration.pid)),
                    .integer(Int64(bitPattern: registration.processStart)), .text(registration.httpAddress),
                    .integer(registration.checkpointVersions.lowerBound),
                    .integer(registration.checkpointVersions.upperBound), .time(node.registered),
                    .time(node.lastHeartbeat), .text(registration.machine.host), .text(registration.machine.bootID),
                ])
        }

        func setHeartbeat(of identity: NodeIdentity, at time: WallTime) throws -> Bool {
            try connection.run(
                "UPDATE nodes SET heartbeat_ms = $1 WHERE name = $2 AND incarnation = $3",
                [.time(time), .text(identity.name), .text(identity.incarnation)]
            ).changed > 0
        }

        func allNodes() throws -> [StoredNode] {
            try all("SELECT \(Self.nodeColumns) FROM nodes ORDER BY name", [], Self.storedNode)
        }

        func isFenced(_ identity: NodeIdentity) throws -> Bool {
            try first(
                "SELECT 1 FROM fences WHERE name = $1 AND incarnation = $2",
                [.text(identity.name), .text(identity.incarnation)]) != nil
        }

        func fence(_ identity: NodeIdentity, at time: WallTime) throws {
            try send(
                "INSERT INTO fences (name, incarnation, at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                [.text(identity.name), .text(identity.incarnation), .time(time)])
        }

        func administrativeStates() throws -> [String: AdministrativeState] {
            let rows = try all("SELECT node, state FROM administrative_states") { row in
                (try row.text(0), try row.raw(1, as: AdministrativeState.self))
            }
            return Dictionary(rows) { _, last in last }
        }

        func insert(_ change: AdministrativeChange) throws {
            try send(
                """
                INSERT INTO administrative_states (node, state) VALUES ($1, $2)
                ON CONFLICT (node) DO UPDATE SET state = excluded.state
                """, [.text(change.node), .text(change.state.rawValue)])
            try send(
                "INSERT INTO administrative_changes (at_ms, node, state, changed_by) VALUES ($1, $2, $3, $4)",
                [.time(change.at), .text(change.node), .text(change.state.rawValue), .text(change.by)])
        }

        func administrativeChanges(limit: Int) throws -> [AdministrativeChange] {
            try all(
                "SELECT at_ms, node, state, changed_by FROM administrative_changes ORDER BY id DESC LIMIT $1",
                [.integer(limit)], Self.administrativeChange)
        }

        func standingOrders() throws -> [AdministrativeChange] {
            // From the newest back, for each node as far as its last one: who was rolled lately is found at once.
            try all(
                """
                SELECT newest.at_ms, newest.node, newest.state, newest.changed_by FROM administrative_states AS ordered
                    CROSS JOIN LATERAL (
                        SELECT at_ms, node, state, changed_by FROM administrative_changes AS own
                            WHERE own.node = ordered.node ORDER BY own.id DESC LIMIT 1) AS newest
                    ORDER BY ordered.node
                """, [], Self.administrativeChange)
        }

        private static func administrativeChange(_ row: PostgresRow) throws -> AdministrativeChange {
            AdministrativeChange(
                at: WallTime(milliseconds: try row.integer(0)), node: try row.text(1), state: try row.raw(2),
                by: try row.text(3))
        }

        func lease(named name: String) throws -> StoredLease? {
            try first(
                "SELECT holder_name, holder_incarnation, epoch, boot_id, expires_ns FROM leases WHERE name = $1",
                [.text(name)]
            ).map { row in
                StoredLease(
                    term: LeaderTerm(
                        lease: name, holder: try RowCoding.identity(name: row.text(0), incarnation: row.text(1)),
                        epoch: try row.integer(2)),
                    bootID: try row.text(3), expires: MonotonicTime(nanoseconds: try row.integer(4)))
            }
        }

        func put(_ lease: StoredLease) throws {
            try send(
                """
                INSERT INTO leases (name, holder_name, holder_incarnation, epoch, boot_id, expires_ns)
                VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (name) DO UPDATE SET holder_name = excluded.holder_name,
                    holder_incarnation = excluded.holder_incarnation, epoch = excluded.epoch,
                    boot_id = excluded.boot_id, expires_ns = excluded.expires_ns
                """,
                [
                    .text(lease.term.lease), .text(lease.term.holder.name), .text(lease.term.holder.incarnation),
                    .integer(lease.term.epoch), .text(lease.bootID), .integer(lease.expires.nanoseconds),
                ])
        }

        // MARK: Values and menus

        func value(of key: StoreKey) throws -> String? {
            try first("SELECT value FROM store_values WHERE key = $1", [.text(key.rawValue)])?.text(0)
        }

        func setValue(_ value: String, of key: StoreKey) throws {
            try send(
                """
                INSERT INTO store_values (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value
                """, [.text(key.rawValue), .text(value)])
        }

        func menu(hash: String) throws -> [UInt8]? {
            try first("SELECT content FROM menus WHERE hash = $1", [.text(hash)])?.bytes(0)
        }

        func putMenu(_ content: [UInt8], hash: String, at time: WallTime) throws {
            try send(
                """
                INSERT INTO menus (hash, content, at_ms) VALUES ($1, $2, $3)
                ON CONFLICT (hash) DO UPDATE SET at_ms = excluded.at_ms
                """, [.text(hash), .bytes(content), .time(time)])
        }

        func prune(before time: WallTime, menusBefore: WallTime, limit: Int, attemptLimit: Int) throws {
            try send(
                """
                WITH old AS (
                    DELETE FROM call_records WHERE sequence IN
                        (SELECT sequence FROM call_records WHERE ended_ms < $1 ORDER BY ended_ms LIMIT $2)
                    RETURNING id)
                DELETE FROM timeline WHERE session IN (SELECT id FROM old)
                """, [.time(time), .integer(limit)])
            try send(
                """
                DELETE FROM attempts WHERE id IN
                    (SELECT id FROM (SELECT id, at_ms FROM attempts ORDER BY id LIMIT $2) AS eldest WHERE at_ms < $1)
                """, [.time(time), .integer(attemptLimit)])
            try send(
                """
                DELETE FROM menus WHERE hash IN (SELECT hash FROM menus WHERE at_ms < $1 ORDER BY hash LIMIT $2)
                    AND hash NOT IN (SELECT menu_hash FROM sessions WHERE menu_hash IS NOT NULL)
                """, [.time(menusBefore), .integer(limit)])
        }
    }
#endif
