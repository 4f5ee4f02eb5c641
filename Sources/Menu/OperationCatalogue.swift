/// What a bank operation takes and gives, so that menus are checked before a caller meets them.
public struct OperationSignature: Sendable, Hashable {
    public enum Argument: Sendable, Hashable {
        /// The customer who logged in; filled in by the machine, never by the menu.
        case loggedInCustomer
        case text
        /// Money in minor units.
        case amount
        /// A secret entry, handed over as `SecretDigits`.
        case secret
    }

    public enum Value: Sendable, Hashable {
        case text
        /// A text that is one of these.
        case oneOf([String])
        case integer
        /// `2026-11-22`, possibly followed by a time.
        case date
        case list([String: Value])
    }

    public var name: String
    public var arguments: [String: Argument]
    /// Result name → the values that come with it.
    public var results: [String: [String: Value]]
    /// Runs under an operation id that its read-back fixed.
    public var movesMoney: Bool

    public init(
        _ name: String, arguments: [String: Argument], results: [String: [String: Value]], movesMoney: Bool = false
    ) {
        self.name = name
        self.arguments = arguments
        self.results = results
        self.movesMoney = movesMoney
    }

    public var needsLogin: Bool { arguments.values.contains(.loggedInCustomer) }
    /// What a call without an answer in time counts as.
    public var resultWithoutAnswer: String { results["unknown"] == nil ? "unavailable" : "unknown" }
}

/// The operations that menus may call.
public struct OperationCatalogue: Sendable {
    public let signatures: [String: OperationSignature]

    public init(_ signatures: [OperationSignature]) {
        self.signatures = Dictionary(signatures.map { ($0.name, $0) }) { first, _ in first }
    }

    /// The operations of telephone banking.
    public static let banking = OperationCatalogue([
        OperationSignature(
            "login", arguments: ["customer": .text, "pin": .secret],
            results: [
                // The bank does not tell an unknown customer from a wrong PIN.
                "ok": [:], "wrong-pin": ["remaining": .integer], "locked": [:], "unavailable": [:],
            ]),
        OperationSignature(
            "balance", arguments: ["customer": .loggedInCustomer],
            results: ["ok": ["amount_minor": .integer, "currency": .text], "unavailable": [:]]),
        OperationSignature(
            "statement", arguments: ["customer": .loggedInCustomer],
            results: [
                "ok": [
                    "transactions": .list([
                        "date": .date, "amount_minor": .integer, "currency": .text,
                        "kind": .oneOf(["opening", "transfer-in", "transfer-out"]), "counterparty": .text,
                    ])
                ], "unavailable": [:],
            ]),
        OperationSignature(
            "check-payee", arguments: ["payee": .text],
            results: [
                "ok": [:], "refused": ["reason": .oneOf(["unknown-payee", "same-account"])], "unavailable": [:],
            ]),
        OperationSignature(
            "transfer", arguments: ["customer": .loggedInCustomer, "payee": .text, "amount_minor": .amount],
            results: [
                "done": [:],
                "refused": [
                    "reason": .oneOf([
                        "insufficient", "daily-limit", "single-limit", "unknown-payee", "same-account", "frozen",
                        "card-reported", "invalid-amount", "no-account", "different-request",
                    ])
                ], "unknown": [:], "unavailable": [:],
            ], movesMoney: true),
        OperationSignature(
            "report-card", arguments: ["customer": .loggedInCustomer],
            results: ["done": [:], "already": [:], "unknown": [:], "unavailable": [:]]),
        OperationSignature(
            "change-pin", arguments: ["customer": .loggedInCustomer, "new": .secret],
            results: ["done": [:], "weak": [:], "unknown": [:], "unavailable": [:]]),
    ])
}
