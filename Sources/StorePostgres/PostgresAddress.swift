#if PostgreSQL
    private import CPostgres
    import Foundation
    import Session
    import Store

    /// Where a PostgreSQL store is: a connection URL as libpq takes it, read once. Holds a password, so it is never
    /// printed whole.
    struct PostgresAddress: Sendable {
        struct Host: Sendable, Hashable {
            /// Name, address or the folder of a Unix socket; empty for libpq's own default.
            var name: String
            var address: String
            var port: String

            /// Nil where the address is given.
            var nameToResolve: String? { address.isEmpty && PostgresNames.isName(name) ? name : nil }
        }

        /// In the order of the URL; never empty.
        let hosts: [Host]
        /// What the URL says besides hosts, by libpq's keywords.
        let settings: [String: String]
        let database: String
        /// How long one host may take to accept a connection.
        let patience: Duration

        static let defaultPatience: Duration = .seconds(1)
        /// Unless the URL says otherwise: a host that vanishes without a word is found out by the kernel, too, within
        /// 1.5 s while something is on its way to it, and within 4 s while nothing is.
        static let defaults = [
            "tcp_user_timeout": "1500", "keepalives": "1", "keepalives_idle": "2", "keepalives_interval": "1",
            "keepalives_count": "2",
        ]

        /// Throws `.schema` for what is no URL of libpq: waiting does not help there.
        init(url: String) throws(StoreTrouble) {
            var problem: UnsafeMutablePointer<CChar>?
            guard let options = PQconninfoParse(url, &problem) else {
                // libpq's message may quote a part of the URL that is a piece of the password.
                PQfreemem(problem)
                throw StoreTrouble(
                    .schema,
                    "the store's URL cannot be read; write postgres://USER:PASSWORD@HOST:PORT/DATABASE?KEY=VALUE, and "
                        + "other characters than letters and digits in a password as %XX")
            }
            defer { PQconninfoFree(options) }
            var settings: [String: String] = [:]
            var option = options
            while let keyword = option.pointee.keyword {
                if let value = option.pointee.val { settings[String(cString: keyword)] = String(cString: value) }
                option += 1
            }
            func list(_ keyword: String) -> [String] {
                guard let text = settings.removeValue(forKey: keyword), !text.isEmpty else { return [] }
                return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            }
            let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"))
            let count = max(1, names.count, addresses.count)
            guard names.isEmpty || addresses.isEmpty || names.count == addresses.count,
                ports.count <= 1 || ports.count == count
            else {
                throw StoreTrouble(.schema, "the store's URL must name as many ports as hosts, or one port for all")
            }
            hosts = (0..<count).map { index in
                Host(
                    name: index < names.count ? names[index] : "",
                    address: index < addresses.count ? addresses[index] : "",
                    port: ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : "")
            }
            let seconds = settings.removeValue(forKey: "connect_timeout").flatMap(Int.init) ?? 0
            patience = seconds > 0 ? .seconds(seconds) : Self.defaultPatience
            // What the store needs is not for the URL to say.
            for keyword in ["target_session_attrs", "client_encoding", "replication"] {
                settings[keyword] = nil
            }
            database = settings["dbname"] ?? settings["user"] ?? "the user's own database"
            self.settings = settings
        }

        /// Keywords and values for a connection to one of the hosts.
        func parameters(for host: Host) -> [(keyword: String, value: String)] {
            let all = Self.defaults.merging(settings) { _, given in given }
            var parameters = all.map { (keyword: $0.key, value: $0.value) }
            if !host.name.isEmpty { parameters.append(("host", host.name)) }
            if !host.address.isEmpty { parameters.append(("hostaddr", host.address)) }
            if !host.port.isEmpty { parameters.append(("port", host.port)) }
            parameters.append(("client_encoding", "UTF8"))
            parameters.append(("target_session_attrs", "read-write"))
            if settings["fallback_application_name"] == nil {
                parameters.append(("fallback_application_name", "tandem"))
            }
            return parameters
        }

        /// `db-1:5432/tandem`, for messages.
        func description(of host: Host) -> String {
            let name = host.name.isEmpty ? (host.address.isEmpty ? "the default host" : host.address) : host.name
            return "\(name)\(host.port.isEmpty ? "" : ":\(host.port)")/\(database)"
        }

        var description: String { hosts.map(description(of:)).joined(separator: ", ") }
    }
#endif
