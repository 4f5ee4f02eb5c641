#if PostgreSQL
    import Store

    /// What the server said to a statement.
    struct PostgresError: Error, Sendable, CustomStringConvertible {
        /// Five characters of the SQL standard and PostgreSQL's Appendix A.
        var state: String
        var message: String

        var description: String { "\(message) (\(state))" }

        /// Another transaction was faster; the same request may be run again in this one.
        var isConflict: Bool { state == "23505" }

        /// Trouble of the server or the way to it, or of a lock: the batch is void. Nil where only the request itself
        /// is at fault.
        func trouble(at place: String) -> StoreTrouble? {
            switch state {
            // lock_not_available, deadlock_detected, serialization_failure, query_canceled
            case "55P03", "40P01", "40001", "57014":
                return StoreTrouble(.locked, "another connection holds rows of \(place)")
            // invalid_catalog_name, invalid_authorization_specification, insufficient_privilege
            case "3D000", "42501": return StoreTrouble(.denied, "\(place): \(message)")
            // read_only_sql_transaction: the server became a standby.
            case "25006": return StoreTrouble(.unreachable, "\(place) takes no writes")
            // disk_full
            case "53100": return StoreTrouble(.full, "no space left at \(place)")
            // undefined_table, undefined_column, invalid_schema_name
            case "42P01", "42703", "3F000": return StoreTrouble(.missing, "\(place): \(message)")
            // data_corrupted, index_corrupted
            case "XX001", "XX002": return StoreTrouble(.corrupt, "\(place): \(message)")
            default: break
            }
            switch state.prefix(2) {
            case "08", "57", "25": return StoreTrouble(.unreachable, "\(place): \(message)")
            case "28": return StoreTrouble(.denied, "\(place): \(message)")
            case "53", "54", "58", "XX": return StoreTrouble(.io, "\(place): \(message)")
            default: return nil
            }
        }
    }
#endif
