#if PostgreSQL
    import Primitives
    import Session
    import Store

    /// The writes of many sessions as few statements: first checkpoints, later ones, timeline rows, claims.
    ///
    /// They commute as long as no session is among them twice, timeline rows aside, so a run of such requests is five
    /// statements whatever its length.
    struct PostgresBulk {
        /// Positions of the requests in the batch.
        private(set) var positions: [Int] = []
        private var opens: [(position: Int, write: SessionWrite, bytes: [UInt8])] = []
        private var checkpoints: [(position: Int, write: SessionWrite, bytes: [UInt8])] = []
        private var timelines: [(position: Int, session: SessionID, entries: [TimelineEntry])] = []
        private var claims: [(position: Int, claim: Claim)] = []
        private var heartbeats: [(position: Int, identity: NodeIdentity)] = []
        private var sessions: Set<SessionID> = []

        /// Takes a request in; false for those that must run by themselves.
        mutating func take(_ request: StoreRequest, at position: Int, encoded: [UInt8]?) -> Bool {
            switch request {
            case .open(let write), .checkpoint(let write):
                guard let encoded, sessions.insert(write.session).inserted else { return false }
                if case .open = request {
                    opens.append((position, write, encoded))
                } else {
                    checkpoints.append((position, write, encoded))
                }
            case .appendTimeline(let session, let entries): timelines.append((position, session, entries))
            case .claim(let session, let from, let claimer, let ground):
                guard sessions.insert(session).inserted else { return false }
                claims.append((position, Claim(session, from: from, by: claimer, ground: ground)))
            case .heartbeat(let identity): heartbeats.append((position, identity))
            default: return false
            }
            positions.append(position)
            return true
        }

        /// Runs them; the positions whose answers need a closer look are left out.
        func run(on tables: PostgresTables, at now: StoreTime) throws -> [Int: StoreReply] {
            var replies: [Int: StoreReply] = [:]
            if !timelines.isEmpty {
                try tables.send(
                    Self.appendTimeline,
                    Self.timelineValues(timelines.map { ($0.session, $0.entries) }, limit: StoreRequest.timelineLimit))
                for timeline in timelines { replies[timeline.position] = .done }
            }
            for (writes, sql) in [(opens, Self.open), (checkpoints, Self.checkpoint)] where !writes.isEmpty {
                let written = try tables.all(sql, Self.values(writes, isFirst: sql == Self.open)) { try $0.text(0) }
                let done = Set(written)
                for write in writes {
                    if done.contains(write.write.session.description) {
                        replies[write.position] = .done
                    } else if sql == Self.checkpoint {
                        replies[write.position] = .notOwner
                    }
                }
            }
            if !claims.isEmpty {
                replies.merge(try PostgresClaims.run(claims, on: tables)) { _, claimed in claimed }
            }
            for (position, identity) in heartbeats where try !tables.isFenced(identity) {
                replies[position] = try tables.setHeartbeat(of: identity, at: now.wall) ? .done : .notFound
            }
            return replies
        }

        private static let written = """
            id, owner_name, owner_incarnation, epoch, menu, menu_hash, state, language, authenticated, takeovers, pending,
            checkpoint
            """
        private static let given = """
            unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::boolean[], $10::bigint[], $11::boolean[], $12::bytea[]
            """
        private static let lives = """
            NOT EXISTS (SELECT 1 FROM fences
                WHERE fences.name = given.owner_name AND fences.incarnation = given.owner_incarnation)
            """

        /// No `=` on the owner: by its index every row would be compared with all that one center owns, which is what the
        /// planner chooses as long as it has not seen the table full.
        private static let checkpoint = """
            UPDATE sessions SET menu = given.menu, menu_hash = given.menu_hash, state = given.state,
                language = given.language, authenticated = given.authenticated, takeovers = given.takeovers,
                pending = given.pending, checkpoint = given.checkpoint
            FROM \(given)) AS given (\(written))
            WHERE sessions.id = given.id AND sessions.owner_name IS NOT DISTINCT FROM given.owner_name
                AND sessions.owner_incarnation IS NOT DISTINCT FROM given.owner_incarnation
                AND sessions.epoch = given.epoch AND \(lives)
            RETURNING sessions.id
            """

        /// Repeated by the same owner it is a checkpoint.
        private static let open = """
            INSERT INTO sessions (\(written), call_id, line, caller, started_ms)
            SELECT \(written), call_id, line, caller, started_ms
            FROM \(given), $13::text[], $14::text[], $15::text[], $16::bigint[])
                AS given (\(written), call_id, line, caller, started_ms)
            WHERE \(lives) AND NOT EXISTS (SELECT 1 FROM call_records WHERE call_records.id = given.id)
            ON CONFLICT (id) DO UPDATE SET menu = excluded.menu, menu_hash = excluded.menu_hash, state = excluded.state,
                language = excluded.language, authenticated = excluded.authenticated, takeovers = excluded.takeovers,
                pending = excluded.pending, checkpoint = excluded.checkpoint
            WHERE sessions.owner_name = excluded.owner_name AND sessions.owner_incarnation = excluded.owner_incarnation
                AND sessions.epoch = excluded.epoch
            RETURNING sessions.id
            """

        private static func values(
            _ writes: [(position: Int, write: SessionWrite, bytes: [UInt8])], isFirst: Bool
        ) -> [PostgresValue] {
            let owners = writes.map(\.write.ownership)
            let checkpoints = writes.map(\.write.checkpoint)
            let calls = checkpoints.map { $0.liveCall(center: "") }
            let values: [PostgresValue] = [
                .texts(writes.map { $0.write.session.description }), .texts(owners.map { $0.node.name }),
                .texts(owners.map { $0.node.incarnation }), .integers(owners.map { $0.epoch }),
                .texts(calls.map(\.menu)), .texts(checkpoints.map { $0.menu?.hash }), .texts(calls.map(\.state)),
                .texts(calls.map(\.language)), .booleans(calls.map(\.authenticated)),
                .integers(calls.map { Int64($0.takeovers) }), .booleans(checkpoints.map(\.hasPendingOperation)),
                .byteStrings(writes.map(\.bytes)),
            ]
            guard isFirst else { return values }
            return values + [
                .texts(checkpoints.map(\.callID)), .texts(calls.map(\.line)), .texts(calls.map(\.from)),
                .integers(calls.map(\.started.milliseconds)),
            ]
        }

        // MARK: Timelines

        /// Rows are counted within their session, those of this statement in the order they are given.
        static let appendTimeline = """
            INSERT INTO timeline (session, sequence, at_ms, kind, detail)
            SELECT given.session, COALESCE(newest.sequence, 0) + given.place, given.at_ms, given.kind, given.detail
            FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])
                AS given (session, place, at_ms, kind, detail)
            LEFT JOIN LATERAL (SELECT sequence FROM timeline WHERE timeline.session = given.session
                ORDER BY sequence DESC LIMIT 1) AS newest ON true
            WHERE COALESCE(newest.sequence, 0) + given.place <= $6
            """

        static func timelineValues(_ rows: [(SessionID, [TimelineEntry])], limit: Int) -> [PostgresValue] {
            var places: [SessionID: Int64] = [:]
            var sessions: [String] = []
            var sequence: [Int64] = []
            var entries: [TimelineEntry] = []
            for (session, added) in rows {
                let name = session.description
                for entry in added {
                    places[session, default: 0] += 1
                    sessions.append(name)
                    sequence.append(places[session, default: 0])
                    entries.append(entry)
                }
            }
            return [
                .texts(sessions), .integers(sequence), .integers(entries.map(\.at.milliseconds)),
                .texts(entries.map(\.kind.rawValue)), .texts(entries.map(\.detail)), .integer(limit),
            ]
        }
    }
#endif
