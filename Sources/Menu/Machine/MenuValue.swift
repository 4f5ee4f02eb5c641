import Primitives

/// A value of a variable or of an operation's result. Never a secret.
public enum MenuValue: Hashable, Sendable, Codable {
    case text(String)
    case integer(Int64)
    case list([[String: MenuValue]])

    var asText: String? {
        switch self {
        case .text(let text): text
        case .integer(let value): String(value)
        case .list: nil
        }
    }

    var asInteger: Int64? {
        switch self {
        case .text(let text): Int64(text)
        case .integer(let value): value
        case .list: nil
        }
    }
}

extension MenuValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
}

/// An argument of a bank operation. Secrets compare by identity, so that they need not be looked at.
public enum MenuArgument: Equatable, Sendable {
    case text(String)
    case integer(Int64)
    case secret(SecretDigits)

    public static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.text(let one), .text(let other)): one == other
        case (.integer(let one), .integer(let other)): one == other
        case (.secret(let one), .secret(let other)): one === other
        default: false
        }
    }
}
