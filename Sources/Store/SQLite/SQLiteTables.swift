import Banking
import Foundation
import GRDB
import Primitives
import Routing
import Session

/// The store's tables in a SQLite file, within one transaction of one connection.
struct SQLiteTables {
    let db: Database
    /// The checkpoint of the request that runs now, encoded before the transaction began so that the lock is held
    /// no longer than it must be.
    var encoded: Data?

    func encodedCheckpoint(_ checkpoint: Checkpoint) throws -> Data {
        try encoded ?? Data(checkpoint.encoded())
    }
}

extension SQLiteTables {
    private static let nodeColumns = """
        name, incarnation, role, pid, process_start, http_address, checkpoint_low, checkpoint_high, registered_ms,
        heartbeat_ms, host, boot_id
        """

    private static func storedNode(_ row: SQLiteRow) throws -> StoredNode {
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
        try db.first("SELECT \(Self.nodeColumns) FROM nodes WHERE name = ?", [name]).map(Self.storedNode)
    }

    func put(_ node: StoredNode) throws {
        let registration = node.registration
        try db.change(
            "INSERT OR REPLACE INTO nodes (\(Self.nodeColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                registration.identity.name, registration.identity.incarnation, registration.role.rawValue,
                Int64(registration.pid), Int64(bitPattern: registration.processStart), registration.httpAddress,
                registration.checkpointVersions.lowerBound, registration.checkpointVersions.upperBound,
                node.registered.milliseconds, node.lastHeartbeat.milliseconds, registration.machine.host,
                registration.machine.bootID,
            ])
    }

    func setHeartbeat(of identity: NodeIdentity, at time: WallTime) throws -> Bool {
        try db.change(
            "UPDATE nodes SET heartbeat_ms = ? WHERE name = ? AND incarnation = ?",
            [time.milliseconds, identity.name, identity.incarnation]) > 0
    }

    func allNodes() throws -> [StoredNode] {
        try db.all("SELECT \(Self.nodeColumns) FROM nodes ORDER BY name", [], Self.storedNode)
    }

    func isFenced(_ identity: NodeIdentity) throws -> Bool {
        try db.first(
            "SELECT 1 FROM fences WHERE name = ? AND incarnation = ?", [identity.name, identity.incarnation]) != nil
    }

    func fence(_ identity: NodeIdentity, at time: WallTime) throws {
        try db.change(
            "INSERT OR IGNORE INTO fences (name, incarnation, at_ms) VALUES (?, ?, ?)",
            [identity.name, identity.incarnation, time.milliseconds])
    }

    func administrativeStates() throws -> [String: AdministrativeState] {
        let rows = try db.all("SELECT node, state FROM administrative_states") { row in
            (try row.text(0), try row.raw(1, as: AdministrativeState.self))
        }
        return Dictionary(rows) { _, last in last }
    }

    func insert(_ change: AdministrativeChange) throws {
        try db.change(
            "INSERT OR REPLACE INTO administrative_states (node, state) VALUES (?, ?)",
            [change.node, change.state.rawValue])
        try db.change(
            "INSERT INTO administrative_changes (at_ms, node, state, changed_by) VALUES (?, ?, ?, ?)",
            [change.at.milliseconds, change.node, change.state.rawValue, change.by])
    }

    func administrativeChanges(limit: Int) throws -> [AdministrativeChange] {
        try db.all(
            "SELECT at_ms, node, state, changed_by FROM administrative_changes ORDER BY id DESC LIMIT ?", [limit],
            Self.administrativeChange)
    }

    func standingOrders() throws -> [AdministrativeChange] {
        // From the newest back, for each node as far as its last one: who was rolled lately is found at once.
        try db.all(
            """
            SELECT newest.at_ms, newest.node, newest.state, newest.changed_by FROM administrative_states AS ordered
                CROSS JOIN administrative_changes AS newest ON newest.id = (
                    SELECT own.id FROM administrative_changes AS own WHERE own.node = ordered.node
                        ORDER BY own.id DESC LIMIT 1)
                ORDER BY ordered.node
            """, [], Self.administrativeChange)
    }

    private static func administrativeChange(_ row: SQLiteRow) throws -> AdministrativeChange {
        AdministrativeChange(
            at: WallTime(milliseconds: try row.integer(0)), node: try row.text(1), state: try row.raw(2),
            by: try row.text(3))
    }

    func lease(named name: String) throws -> StoredLease? {
        try db.first(
            "SELECT holder_name, holder_incarnation, epoch, boot_id, expires_ns FROM leases WHERE name = ?", [name]
        ).map { row in
            StoredLease(
                term: LeaderTerm(
                    lease: name, holder: try RowCoding.identity(name: row.text(0), incarnation: row.text(1)),
                    epoch: try row.integer(2)),
                bootID: try row.text(3), expires: MonotonicTime(nanoseconds: try row.integer(4)))
        }
    }

    func put(_ lease: StoredLease) throws {
        try db.change(
            """
            INSERT OR REPLACE INTO leases (name, holder_name, holder_incarnation, epoch, boot_id, expires_ns)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                lease.term.lease, lease.term.holder.name, lease.term.holder.incarnation, lease.term.epoch,
                lease.bootID, lease.expires.nanoseconds,
            ])
    }

    // MARK: Values and menus

    func value(of key: StoreKey) throws -> String? {
        try db.first("SELECT value FROM store_values WHERE key = ?", [key.rawValue])?.text(0)
    }

    func setValue(_ value: String, of key: StoreKey) throws {
        try db.change("INSERT OR REPLACE INTO store_values (key, value) VALUES (?, ?)", [key.rawValue, value])
    }

    func menu(hash: String) throws -> [UInt8]? {
        try db.first("SELECT content FROM menus WHERE hash = ?", [hash]).map { [UInt8](try $0.blob(0)) }
    }

    func putMenu(_ content: [UInt8], hash: String, at time: WallTime) throws {
        try db.change(
            "INSERT OR REPLACE INTO menus (hash, content, at_ms) VALUES (?, ?, ?)",
            [hash, Data(content), time.milliseconds])
    }

    func prune(before time: WallTime, menusBefore: WallTime, limit: Int, attemptLimit: Int) throws {
        // Records are in the order of their ends, or nearly so: the eldest alone are looked at, because a search through
        // all that are young would hold the writers' lock.
        let old = """
            SELECT sequence FROM (SELECT sequence, ended_ms FROM call_records ORDER BY sequence LIMIT ?)
                WHERE ended_ms < ?
            """
        let arguments: StatementArguments = [limit, time.milliseconds]
        try db.change(
            "DELETE FROM timeline WHERE session IN (SELECT id FROM call_records WHERE sequence IN (\(old)))",
            arguments)
        try db.change("DELETE FROM call_records WHERE sequence IN (\(old))", arguments)
        try db.change(
            """
            DELETE FROM attempts WHERE id IN
                (SELECT id FROM (SELECT id, at_ms FROM attempts ORDER BY id LIMIT ?) WHERE at_ms < ?)
            """, [attemptLimit, time.milliseconds])
        try db.change(
            """
            DELETE FROM menus WHERE hash IN (SELECT hash FROM menus WHERE at_ms < ? ORDER BY hash LIMIT ?)
                AND hash NOT IN (SELECT menu_hash FROM sessions WHERE menu_hash IS NOT NULL)
            """, [menusBefore.milliseconds, limit])
    }
}
