#if PostgreSQL
    import Banking
    import Primitives
    import Session
    import Store

    /// Sessions, their timelines and the records of ended calls.
    extension PostgresTables {
        func ownership(of session: SessionID) throws -> Ownership? {
            try first("SELECT owner_name, owner_incarnation, epoch FROM sessions WHERE id = $1", [.text(session)])
                .map(Self.ownership)
        }

        private static func ownership(_ row: PostgresRow) throws -> Ownership {
            Ownership(
                node: try RowCoding.identity(name: row.text(0), incarnation: row.text(1)), epoch: try row.integer(2))
        }

        private static let sessionColumns = """
            owner_name, owner_incarnation, epoch, caller_ended_ms, checkpoint, EXISTS
                (SELECT 1 FROM fences WHERE name = owner_name AND incarnation = owner_incarnation)
            """

        private static func storedSession(_ row: PostgresRow) throws -> StoredSession {
            StoredSession(
                ownership: try ownership(row), checkpoint: try Checkpoint(encoded: row.bytes(4)),
                callerEnded: try row.integerIfAny(3).map(WallTime.init(milliseconds:)), ownerFenced: try row.boolean(5))
        }

        func session(_ id: SessionID) throws -> StoredSession? {
            try first("SELECT \(Self.sessionColumns) FROM sessions WHERE id = $1", [.text(id)]).map(Self.storedSession)
        }

        func sessions(callID: String, limit: Int) throws -> [StoredSession] {
            try all(
                "SELECT \(Self.sessionColumns) FROM sessions WHERE call_id = $1 ORDER BY id LIMIT $2",
                [.text(callID), .integer(limit)], Self.storedSession)
        }

        func sessionHeads(ownedBy node: NodeIdentity, limit: Int) throws -> [SessionHead] {
            try all(
                """
                SELECT owner_name, owner_incarnation, epoch, id, started_ms, pending FROM sessions
                WHERE owner_name = $1 AND owner_incarnation = $2 ORDER BY pending DESC, started_ms, id LIMIT $3
                """, [.text(node.name), .text(node.incarnation), .integer(limit)]
            ) { row in
                SessionHead(
                    id: try row.parsed(3), ownership: try Self.ownership(row),
                    started: WallTime(milliseconds: try row.integer(4)), hasPendingOperation: try row.boolean(5))
            }
        }

        func sessionOwners(limit: Int) throws -> [StoredOwner] {
            try all(
                """
                SELECT owners.owner_name, owners.owner_incarnation, owners.sessions, fences.at_ms FROM
                    (SELECT owner_name, owner_incarnation, COUNT(*) AS sessions FROM sessions
                        GROUP BY owner_name, owner_incarnation ORDER BY owner_name, owner_incarnation LIMIT $1) AS owners
                    LEFT JOIN fences
                        ON fences.name = owners.owner_name AND fences.incarnation = owners.owner_incarnation
                ORDER BY owners.owner_name, owners.owner_incarnation
                """, [.integer(limit)]
            ) { row in
                StoredOwner(
                    identity: try RowCoding.identity(name: row.text(0), incarnation: row.text(1)),
                    sessions: try row.small(2), fencedAt: try row.integerIfAny(3).map(WallTime.init(milliseconds:)))
            }
        }

        func insert(_ write: SessionWrite) throws {
            let checkpoint = write.checkpoint
            let call = checkpoint.liveCall(center: write.ownership.node.name)
            try send(
                """
                INSERT INTO sessions (id, owner_name, owner_incarnation, epoch, call_id, line, caller, started_ms, menu,
                    menu_hash, state, language, authenticated, takeovers, pending, checkpoint)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
                """,
                [
                    .text(write.session), .text(write.ownership.node.name), .text(write.ownership.node.incarnation),
                    .integer(write.ownership.epoch), .text(checkpoint.callID), .text(call.line), .text(call.from),
                    .time(call.started), .text(call.menu), .text(checkpoint.menu?.hash), .text(call.state),
                    .text(call.language), .boolean(call.authenticated), .integer(call.takeovers),
                    .boolean(checkpoint.hasPendingOperation), .bytes(try encodedCheckpoint(checkpoint)),
                ])
        }

        func update(_ write: SessionWrite) throws -> Bool {
            let checkpoint = write.checkpoint
            let call = checkpoint.liveCall(center: "")
            let node = write.ownership.node
            return try connection.run(
                """
                UPDATE sessions SET menu = $1, menu_hash = $2, state = $3, language = $4, authenticated = $5,
                    takeovers = $6, pending = $7, checkpoint = $8
                WHERE id = $9 AND owner_name = $10 AND owner_incarnation = $11 AND epoch = $12
                    AND NOT EXISTS (SELECT 1 FROM fences WHERE name = $10 AND incarnation = $11)
                """,
                [
                    .text(call.menu), .text(checkpoint.menu?.hash), .text(call.state), .text(call.language),
                    .boolean(call.authenticated), .integer(call.takeovers), .boolean(checkpoint.hasPendingOperation),
                    .bytes(try encodedCheckpoint(checkpoint)), .text(write.session), .text(node.name),
                    .text(node.incarnation), .integer(write.ownership.epoch),
                ]
            ).changed > 0
        }

        func setOwner(of session: SessionID, to ownership: Ownership) throws {
            try send(
                "UPDATE sessions SET owner_name = $1, owner_incarnation = $2, epoch = $3 WHERE id = $4",
                [
                    .text(ownership.node.name), .text(ownership.node.incarnation), .integer(ownership.epoch),
                    .text(session),
                ])
        }

        func setCallerEnded(_ session: SessionID, at time: WallTime) throws -> Bool {
            try connection.run(
                "UPDATE sessions SET caller_ended_ms = COALESCE(caller_ended_ms, $1) WHERE id = $2",
                [.time(time), .text(session)]
            ).changed > 0
        }

        func removeSession(_ id: SessionID) throws { try send("DELETE FROM sessions WHERE id = $1", [.text(id)]) }

        private static let callColumns =
            "id, line, caller, owner_name, started_ms, menu, state, language, authenticated, takeovers"

        private static func liveCall(_ row: PostgresRow) throws -> LiveCall {
            LiveCall(
                id: try row.parsed(0), line: try row.text(1), from: try row.text(2), center: try row.text(3),
                started: WallTime(milliseconds: try row.integer(4)), menu: try row.textIfAny(5),
                state: try row.textIfAny(6), language: try row.textIfAny(7), authenticated: try row.boolean(8),
                takeovers: try row.small(9))
        }

        func liveCall(_ id: SessionID) throws -> LiveCall? {
            try first("SELECT \(Self.callColumns) FROM sessions WHERE id = $1", [.text(id)]).map(Self.liveCall)
        }

        func liveCalls(limit: Int) throws -> [LiveCall] {
            try all(
                "SELECT \(Self.callColumns) FROM sessions ORDER BY started_ms, id LIMIT $1", [.integer(limit)],
                Self.liveCall)
        }

        // MARK: Timelines

        func append(_ entries: [TimelineEntry], to session: SessionID, limit: Int) throws {
            try send(PostgresBulk.appendTimeline, PostgresBulk.timelineValues([(session, entries)], limit: limit))
        }

        func timeline(of session: SessionID) throws -> [TimelineEntry] {
            try all(
                "SELECT at_ms, kind, detail FROM timeline WHERE session = $1 ORDER BY sequence", [.text(session)]
            ) { row in
                TimelineEntry(
                    at: WallTime(milliseconds: try row.integer(0)), kind: try row.raw(1), detail: try row.text(2))
            }
        }

        // MARK: Ended calls

        func hasRecord(_ id: SessionID) throws -> Bool {
            try first("SELECT 1 FROM call_records WHERE id = $1", [.text(id)]) != nil
        }

        func insert(_ record: CallRecord, lastSeenAs call: LiveCall) throws {
            try send(
                "INSERT INTO call_records (id, ended_ms, record, last_seen) VALUES ($1, $2, $3, $4)",
                [
                    .text(record.id), .time(record.ended ?? record.started), .text(try RowCoding.json(record)),
                    .text(try RowCoding.json(call)),
                ])
        }

        func endedCall(_ id: SessionID) throws -> LiveCall? {
            try first("SELECT last_seen FROM call_records WHERE id = $1", [.text(id)])
                .map { try RowCoding.decoded(LiveCall.self, from: $0.text(0)) }
        }

        func records(limit: Int, before: SessionID?) throws -> [CallRecord]? {
            var bound = Int64.max
            if let before {
                guard let row = try first("SELECT sequence FROM call_records WHERE id = $1", [.text(before)]) else {
                    return nil
                }
                bound = try row.integer(0)
            }
            return try all(
                "SELECT record FROM call_records WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2",
                [.integer(bound), .integer(limit)]
            ) { try RowCoding.decoded(CallRecord.self, from: $0.text(0)) }
        }
    }
#endif
