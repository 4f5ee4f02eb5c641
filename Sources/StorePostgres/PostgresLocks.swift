#if PostgreSQL
    import Banking
    import Session
    import Store

    /// What a batch locks before it does anything: all session rows it writes, then everything whose absence it may rely on
    /// (an operation that has not run yet, a customer's count of wrong PINs, a lease). Each in one order on all nodes, so that
    /// no two batches wait for each other; all until the end of the transaction, so that a claim waits for the money of the
    /// owner before, and asking for an operation's result waits for the transaction that may still be writing it.
    enum PostgresLocks {
        static let lockSessions = "SELECT 1 FROM sessions WHERE id = ANY($1) ORDER BY id FOR UPDATE"
        static let lockKeys = "SELECT pg_advisory_xact_lock(a, b) FROM unnest($1::int4[], $2::int4[]) AS u (a, b)"

        /// Advisory locks are one space a database: this keeps those of several schemas apart.
        static func space(of schema: String) -> Int32 { hash("tandem.store.\(schema)") }

        static func sessions(_ batch: [StoreRequest]) -> [SessionID] {
            Set(batch.compactMap(\.writtenSession)).sorted()
        }

        /// Numbers in the schema's space, in order.
        static func keys(_ batch: [StoreRequest]) -> [Int32] {
            var keys: Set<Int32> = []
            for request in batch { add(request, to: &keys) }
            return keys.sorted()
        }

        private static func add(_ request: StoreRequest, to keys: inout Set<Int32>) {
            switch request {
            case .bank(let bank):
                keys.insert(hash("customer \(bank.request.customer)"))
                if case .transfer(_, let payee, _) = bank.request.action { keys.insert(hash("customer \(payee)")) }
                if let id = bank.request.id { keys.insert(hash("operation \(id)")) }
            case .bankResult(let id): keys.insert(hash("operation \(id)"))
            case .seed(let customers):
                keys.insert(hash("customer \(CustomerNumber.bank)"))
                for customer in customers { keys.insert(hash("customer \(customer.number)")) }
            case .setAccountStatus(let number, _): keys.insert(hash("customer \(number.customer)"))
            case .bindPINKey: keys.insert(hash("pin key"))
            case .register(let registration): keys.insert(hash("node \(registration.identity.name)"))
            case .fence(let identity, let term):
                keys.insert(hash("node \(identity.name)"))
                if let term { keys.insert(hash("lease \(term.lease)")) }
            case .administer(let node, _, _, let term):
                keys.insert(hash("node \(node)"))
                if let term { keys.insert(hash("lease \(term.lease)")) }
            case .acquireLease(let name, _, _): keys.insert(hash("lease \(name)"))
            case .releaseLease(let term): keys.insert(hash("lease \(term.lease)"))
            case .prune(_, _, let term):
                if let term { keys.insert(hash("lease \(term.lease)")) }
            default: break
            }
        }

        /// FNV-1a: the same on every node and in every release. Zero is the schema's own.
        private static func hash(_ text: String) -> Int32 {
            let hash = text.utf8.reduce(2_166_136_261 as UInt32) { ($0 ^ UInt32($1)) &* 16_777_619 }
            return hash == 0 ? 1 : Int32(bitPattern: hash)
        }
    }
#endif
