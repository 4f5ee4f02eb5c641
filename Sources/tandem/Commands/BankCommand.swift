import ArgumentParser
import Banking
import Store

struct BankCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bank", abstract: "Look into the embedded ledger.",
        subcommands: [Accounts.self, Transfers.self, Attempts.self, Audit.self])

    struct Options: ParsableArguments {
        @OptionGroup var state: StateOption
        @Option(help: "The store, as in profiles; by default the one that the nodes of the state directory use.")
        var store: String?
        @Option(help: "Folder of the profiles that name the store.") var profiles: String?
        @Flag(help: "For programs.") var json = false

        func ask(_ request: StoreRequest) async throws -> StoreReply {
            try await BankStore(store: store, profiles: profiles, state: state.directory).ask(request)
        }
    }

    struct Accounts: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Customers, accounts and balances.")
        @OptionGroup var options: Options
        @Option(help: "Of this customer alone.") var customer: String?

        func run() async throws {
            guard case .accounts(var rows) = try await options.ask(.accounts(includingBank: false)) else {
                throw BankCommand.unexpected
            }
            if let customer {
                rows.removeAll { $0.customer != customer }
                guard !rows.isEmpty else { throw CommandFailure.failed("bank: there is no customer \(customer)") }
            }
            if options.json { return try printJSON(rows) }
            var table = Table("CUSTOMER", "ACCOUNT", "BALANCE", "CURRENCY", "STATUS")
            for row in rows {
                table.add(
                    .init(row.customer), .init(row.account), .number(decimal(row.balanceMinor)), .init(row.currency),
                    .init(row.status, row.status == "open" ? .plain : .red))
            }
            table.printOut()
        }
    }

    struct Transfers: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Transfers, newest first, refused ones too.")
        @OptionGroup var options: Options
        @Option(help: "At most so many.") var limit = 1000

        func run() async throws {
            guard limit > 0 else { throw CommandFailure.usage("--limit: found \(limit), expected 1 or more") }
            guard case .transfers(let rows) = try await options.ask(.transfers(limit: limit)) else {
                throw BankCommand.unexpected
            }
            if options.json { return try printJSON(rows) }
            var table = Table("AT", "FROM", "TO", "AMOUNT", "CURRENCY", "RESULT", "ID")
            for row in rows {
                table.add(
                    .init(row.at.description), .optional(row.from), .optional(row.to),
                    .number(decimal(row.amountMinor)), .init(row.currency),
                    .init(row.result, row.result == "done" ? .plain : .yellow), .init(row.id))
            }
            table.printOut()
        }
    }

    struct Attempts: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What was asked of the bank and what came of it, newest first: logins, refused ones too.")
        @OptionGroup var options: Options
        @Option(help: "At most so many.") var limit = 1000

        func run() async throws {
            guard limit > 0 else { throw CommandFailure.usage("--limit: found \(limit), expected 1 or more") }
            guard case .attempts(let rows) = try await options.ask(.attempts(limit: limit)) else {
                throw BankCommand.unexpected
            }
            if options.json { return try printJSON(rows) }
            var table = Table("AT", "CUSTOMER", "OPERATION", "OUTCOME", "CALL", "ID")
            for row in rows {
                table.add(
                    .init(row.at.description), .init(row.customer), .init(row.operation),
                    .init(row.outcome, ["ok", "done"].contains(row.outcome) ? .plain : .yellow), .optional(row.session),
                    .optional(row.id))
            }
            table.printOut()
        }
    }

    struct Audit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Recompute every balance from the entries; exit 1 where they differ.")
        @OptionGroup var options: Options

        func run() async throws {
            guard case .audit(let report) = try await options.ask(.audit) else { throw BankCommand.unexpected }
            if options.json {
                try printJSON(report)
            } else {
                printNow(
                    "\(report.accounts) accounts, \(report.entries) entries, \(report.transfers) transfers, sum \(decimal(report.totalMinor))"
                )
                for difference in report.differences {
                    printToStandardError(
                        "account \(difference.account): balance \(decimal(difference.balanceMinor)), entries \(decimal(difference.entriesMinor))"
                    )
                }
                for operation in report.unbalanced {
                    printToStandardError("operation \(operation): entries do not balance")
                }
            }
            guard report.ok else { throw CommandFailure.failed("audit: the ledger does not add up") }
        }
    }

    /// The store gave an answer to something else.
    static let unexpected = CommandFailure.failed("bank: the store gave an answer that does not fit")

    /// Minor units with two decimals: 1000700 is 10007.00.
    static func decimal(_ minor: Int64) -> String {
        let magnitude = minor.magnitude
        let fraction = magnitude % 100
        return "\(minor < 0 ? "-" : "")\(magnitude / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}

private func decimal(_ minor: Int64) -> String { BankCommand.decimal(minor) }
