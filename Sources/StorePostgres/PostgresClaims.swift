#if PostgreSQL
    import Primitives
    import Session
    import Store

    /// Many claims as two statements: one that reads what decides them, one that changes the rows of those who win. The
    /// batch has locked the rows before, so nothing changes in between.
    enum PostgresClaims {
        /// Runs claims of different sessions. Those whose row cannot be read are left out, and their rows as they are.
        static func run(
            _ claims: [(position: Int, claim: Claim)], on tables: PostgresTables
        ) throws -> [Int: StoreReply] {
            let found = try tables.all(read, values(claims.map(\.claim))) { row in (try row.text(0), try Seen(row)) }
            let seen = Dictionary(found) { first, _ in first }
            var replies: [Int: StoreReply] = [:]
            var granted: [Claim] = []
            for (position, claim) in claims {
                guard let seen = seen[claim.session.description] else { continue }
                let verdict = claim.judged(
                    claimerIsFenced: seen.claimerIsFenced, owner: seen.owner, isEnded: seen.isEnded,
                    ownerIsFenced: seen.ownerIsFenced)
                if case .refused(let reply) = verdict {
                    replies[position] = reply
                    continue
                }
                // A checkpoint in an unknown format is left to a node that knows it.
                guard let owner = seen.owner, let bytes = seen.checkpoint,
                    let checkpoint = try? Checkpoint(encoded: bytes)
                else { continue }
                replies[position] = claim.reply(
                    StoredSession(
                        ownership: owner, checkpoint: checkpoint, callerEnded: seen.callerEnded,
                        ownerFenced: seen.ownerIsFenced))
                if verdict == .granted { granted.append(claim) }
            }
            if !granted.isEmpty { try tables.send(take, values(granted)) }
            return replies
        }

        /// What decides a claim, and what its winner gets.
        private struct Seen {
            let claimerIsFenced: Bool
            let ownerIsFenced: Bool
            let isEnded: Bool
            let owner: Ownership?
            let callerEnded: WallTime?
            let checkpoint: [UInt8]?

            init(_ row: PostgresRow) throws {
                claimerIsFenced = try row.boolean(1)
                ownerIsFenced = try row.boolean(2)
                isEnded = try row.boolean(3)
                owner = try row.textIfAny(4).map { name in
                    Ownership(
                        node: try RowCoding.identity(name: name, incarnation: row.text(5)), epoch: try row.integer(6))
                }
                callerEnded = try row.integerIfAny(7).map(WallTime.init(milliseconds:))
                checkpoint = try row.bytesIfAny(8)
            }
        }

        private static let given = """
            unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[])
                AS given (id, name, incarnation, epoch, next_name, next_incarnation, next_epoch)
            """

        /// The checkpoint only for those who may win.
        private static let read = """
            SELECT given.id,
                EXISTS (SELECT 1 FROM fences
                    WHERE fences.name = given.next_name AND fences.incarnation = given.next_incarnation),
                EXISTS (SELECT 1 FROM fences
                    WHERE fences.name = given.name AND fences.incarnation = given.incarnation),
                sessions.id IS NULL AND EXISTS (SELECT 1 FROM call_records WHERE call_records.id = given.id),
                sessions.owner_name, sessions.owner_incarnation, sessions.epoch, sessions.caller_ended_ms,
                CASE WHEN sessions.epoch IN (given.epoch, given.next_epoch) THEN sessions.checkpoint END
            FROM \(given) LEFT JOIN sessions ON sessions.id = given.id
            """

        private static let take = """
            UPDATE sessions SET owner_name = given.next_name, owner_incarnation = given.next_incarnation,
                epoch = given.next_epoch
            FROM \(given)
            WHERE sessions.id = given.id AND sessions.owner_name IS NOT DISTINCT FROM given.name
                AND sessions.owner_incarnation IS NOT DISTINCT FROM given.incarnation
                AND sessions.epoch = given.epoch
            """

        private static func values(_ claims: [Claim]) -> [PostgresValue] {
            [
                .texts(claims.map(\.session.description)), .texts(claims.map(\.from.node.name)),
                .texts(claims.map(\.from.node.incarnation)), .integers(claims.map(\.from.epoch)),
                .texts(claims.map(\.right.node.name)), .texts(claims.map(\.right.node.incarnation)),
                .integers(claims.map(\.right.epoch)),
            ]
        }
    }
#endif
