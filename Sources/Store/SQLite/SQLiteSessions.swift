import Banking
import Foundation
import GRDB
import Primitives
import Session

/// Sessions, their timelines and the records of ended calls.
extension SQLiteTables {
    func ownership(of session: SessionID) throws -> Ownership? {
        try db.first(
            "SELECT owner_name, owner_incarnation, epoch FROM sessions WHERE id = ?", [session.description]
        ).map(Self.ownership)
    }

    private static func ownership(_ row: SQLiteRow) throws -> Ownership {
        Ownership(
            node: try RowCoding.identity(name: row.text(0), incarnation: row.text(1)), epoch: try row.integer(2))
    }

    private static let sessionColumns = "owner_name, owner_incarnation, epoch, caller_ended_ms, checkpoint"

    private func storedSession(_ row: SQLiteRow) throws -> StoredSession {
        let ownership = try Self.ownership(row)
        return StoredSession(
            ownership: ownership, checkpoint: try Checkpoint(encoded: row.blob(4)),
            callerEnded: try row.integerIfAny(3).map(WallTime.init(milliseconds:)),
            ownerFenced: try isFenced(ownership.node))
    }

    func session(_ id: SessionID) throws -> StoredSession? {
        try db.first("SELECT \(Self.sessionColumns) FROM sessions WHERE id = ?", [id.description]).map(storedSession)
    }

    func sessions(callID: String, limit: Int) throws -> [StoredSession] {
        try db.all(
            "SELECT \(Self.sessionColumns) FROM sessions WHERE call_id = ? ORDER BY id LIMIT ?", [callID, limit],
            storedSession)
    }

    func sessionHeads(ownedBy node: NodeIdentity, limit: Int) throws -> [SessionHead] {
        try db.all(
            """
            SELECT owner_name, owner_incarnation, epoch, id, started_ms, pending FROM sessions
            WHERE owner_name = ? AND owner_incarnation = ? ORDER BY pending DESC, started_ms, id LIMIT ?
            """, [node.name, node.incarnation, limit]
        ) { row in
            SessionHead(
                id: try row.parsed(3), ownership: try Self.ownership(row),
                started: WallTime(milliseconds: try row.integer(4)), hasPendingOperation: try row.integer(5) != 0)
        }
    }

    func sessionOwners(limit: Int) throws -> [StoredOwner] {
        try db.all(
            """
            SELECT owners.owner_name, owners.owner_incarnation, owners.sessions, fences.at_ms FROM
                (SELECT owner_name, owner_incarnation, COUNT(*) AS sessions FROM sessions
                    GROUP BY owner_name, owner_incarnation ORDER BY owner_name, owner_incarnation LIMIT ?) AS owners
                LEFT JOIN fences
                    ON fences.name = owners.owner_name AND fences.incarnation = owners.owner_incarnation
            ORDER BY owners.owner_name, owners.owner_incarnation
            """, [limit]
        ) { row in
            StoredOwner(
                identity: try RowCoding.identity(name: row.text(0), incarnation: row.text(1)),
                sessions: try row.small(2),
                fencedAt: try row.integerIfAny(3).map(WallTime.init(milliseconds:)))
        }
    }

    func insert(_ write: SessionWrite) throws {
        let checkpoint = write.checkpoint
        let call = checkpoint.liveCall(center: write.ownership.node.name)
        try db.change(
            """
            INSERT INTO sessions (id, owner_name, owner_incarnation, epoch, call_id, line, caller, started_ms, menu,
                menu_hash, state, language, authenticated, takeovers, pending, checkpoint)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                write.session.description, write.ownership.node.name, write.ownership.node.incarnation,
                write.ownership.epoch, checkpoint.callID, call.line, call.from, call.started.milliseconds, call.menu,
                checkpoint.menu?.hash, call.state, call.language, call.authenticated, call.takeovers,
                checkpoint.hasPendingOperation, try encodedCheckpoint(checkpoint),
            ])
    }

    func update(_ write: SessionWrite) throws -> Bool {
        let checkpoint = write.checkpoint
        let call = checkpoint.liveCall(center: "")
        let node = write.ownership.node
        return try db.change(
            """
            UPDATE sessions SET menu = ?, menu_hash = ?, state = ?, language = ?, authenticated = ?, takeovers = ?,
                pending = ?, checkpoint = ?
            WHERE id = ? AND owner_name = ? AND owner_incarnation = ? AND epoch = ?
                AND NOT EXISTS (SELECT 1 FROM fences WHERE name = ? AND incarnation = ?)
            """,
            [
                call.menu, checkpoint.menu?.hash, call.state, call.language, call.authenticated, call.takeovers,
                checkpoint.hasPendingOperation, try encodedCheckpoint(checkpoint), write.session.description,
                node.name, node.incarnation, write.ownership.epoch, node.name, node.incarnation,
            ]) > 0
    }

    func setOwner(of session: SessionID, to ownership: Ownership) throws {
        try db.change(
            "UPDATE sessions SET owner_name = ?, owner_incarnation = ?, epoch = ? WHERE id = ?",
            [ownership.node.name, ownership.node.incarnation, ownership.epoch, session.description])
    }

    func setCallerEnded(_ session: SessionID, at time: WallTime) throws -> Bool {
        try db.change(
            "UPDATE sessions SET caller_ended_ms = COALESCE(caller_ended_ms, ?) WHERE id = ?",
            [time.milliseconds, session.description]) > 0
    }

    func removeSession(_ id: SessionID) throws {
        try db.change("DELETE FROM sessions WHERE id = ?", [id.description])
    }

    private static let callColumns =
        "id, line, caller, owner_name, started_ms, menu, state, language, authenticated, takeovers"

    private static func liveCall(_ row: SQLiteRow) throws -> LiveCall {
        LiveCall(
            id: try row.parsed(0), line: try row.text(1), from: try row.text(2), center: try row.text(3),
            started: WallTime(milliseconds: try row.integer(4)), menu: try row.textIfAny(5),
            state: try row.textIfAny(6), language: try row.textIfAny(7), authenticated: try row.integer(8) != 0,
            takeovers: try row.small(9))
    }

    func liveCall(_ id: SessionID) throws -> LiveCall? {
        try db.first("SELECT \(Self.callColumns) FROM sessions WHERE id = ?", [id.description]).map(Self.liveCall)
    }

    func liveCalls(limit: Int) throws -> [LiveCall] {
        try db.all(
            "SELECT \(Self.callColumns) FROM sessions ORDER BY started_ms, id LIMIT ?", [limit], Self.liveCall)
    }

    // MARK: Timelines

    func append(_ entries: [TimelineEntry], to session: SessionID, limit: Int) throws {
        for entry in entries {
            try db.change(
                """
                INSERT INTO timeline (session, sequence, at_ms, kind, detail)
                SELECT ?1, next, ?2, ?3, ?4 FROM
                    (SELECT COALESCE(MAX(sequence), 0) + 1 AS next FROM timeline WHERE session = ?1)
                WHERE next <= ?5
                """,
                [session.description, entry.at.milliseconds, entry.kind.rawValue, entry.detail, limit])
        }
    }

    func timeline(of session: SessionID) throws -> [TimelineEntry] {
        try db.all(
            "SELECT at_ms, kind, detail FROM timeline WHERE session = ? ORDER BY sequence", [session.description]
        ) { row in
            TimelineEntry(
                at: WallTime(milliseconds: try row.integer(0)), kind: try row.raw(1), detail: try row.text(2))
        }
    }

    // MARK: Ended calls

    func hasRecord(_ id: SessionID) throws -> Bool {
        try db.first("SELECT 1 FROM call_records WHERE id = ?", [id.description]) != nil
    }

    func insert(_ record: CallRecord, lastSeenAs call: LiveCall) throws {
        try db.change(
            "INSERT INTO call_records (id, ended_ms, record, last_seen) VALUES (?, ?, ?, ?)",
            [
                record.id.description, (record.ended ?? record.started).milliseconds, try RowCoding.json(record),
                try RowCoding.json(call),
            ])
    }

    func endedCall(_ id: SessionID) throws -> LiveCall? {
        try db.first("SELECT last_seen FROM call_records WHERE id = ?", [id.description])
            .map { try RowCoding.decoded(LiveCall.self, from: $0.text(0)) }
    }

    func records(limit: Int, before: SessionID?) throws -> [CallRecord]? {
        var bound = Int64.max
        if let before {
            guard let row = try db.first("SELECT sequence FROM call_records WHERE id = ?", [before.description]) else {
                return nil
            }
            bound = try row.integer(0)
        }
        return try db.all(
            "SELECT record FROM call_records WHERE sequence < ? ORDER BY sequence DESC LIMIT ?", [bound, limit]
        ) { try RowCoding.decoded(CallRecord.self, from: $0.text(0)) }
    }
}
