import Speech

/// A place in a menu file.
public struct MenuPlace: Hashable, Sendable {
    public var file: String
    public var line: Int
}

/// One state of a checked menu, with defaults and global keys worked in.
public struct MenuState: Sendable {
    public var name: String
    public var place: MenuPlace
    /// The name in a call record's path; several states may share one.
    public var path: String
    var needsLogin: Bool
    var say: [SayTemplate]
    var bargeIn: Bool
    /// The money operation whose id is fixed when this state is entered.
    var prepares: String?
    var kind: Kind

    enum Kind: Sendable {
        case choice(Question, keys: [KeypadDigit: MenuBranch])
        case entry(Question, EntryRule, keys: [KeypadDigit: MenuBranch])
        case operation(OperationStep)
        case queue(QueueStep)
        case choose([Choice])
        case call(start: String, then: MenuBranch)
        case speak(then: MenuBranch)
        case hangUp(reason: String)
    }
}

/// How long a question waits and what happens when nothing useful comes.
struct Question: Sendable {
    /// Nobody presses a key in less.
    static let shortestTime = Duration.milliseconds(500)

    var firstDigit: Duration
    var interDigit: Duration
    var noInput: RetryRule
    var wrong: RetryRule
}

struct RetryRule: Sendable {
    /// At this many the exhausted branch is taken.
    var limit: Int
    /// What goes before the question at the first, second, … time; the last one serves all further ones.
    var attempts: [[SayTemplate]]
    /// Whether the question is asked again after it.
    var repeatsQuestion: Bool
    var exhausted: MenuBranch
}

/// What digits an entry collects and what becomes of them.
struct EntryRule: Sendable {
    enum Kind: Sendable, Equatable {
        case digits(minimum: Int, maximum: Int)
        /// Digits that go straight into `SecretDigits`; `sameAs` names an earlier secret that must be equal.
        case secret(minimum: Int, maximum: Int, sameAs: String?)
        /// Money in minor units of two decimals.
        case amount(decimalPoint: KeypadDigit, maximumMinor: Int64)
    }

    var variable: String
    var kind: Kind
    var terminator: KeypadDigit?
    /// What no terminator ended is not complete, however long the caller pauses: a key on its way would count as
    /// an answer to the question that follows.
    var needsTerminator: Bool
    var swallowHash: Duration
    var then: MenuBranch
    /// Taken when `sameAs` differs.
    var mismatch: MenuBranch?

    var isSecret: Bool { if case .secret = kind { true } else { false } }
    /// An entry that ends by itself at its last digit.
    var isFixedLength: Bool {
        switch kind {
        case .digits(let minimum, let maximum), .secret(let minimum, let maximum, _): minimum == maximum
        case .amount: false
        }
    }
}

struct OperationStep: Sendable {
    var signature: OperationSignature
    /// Argument → variable or secret.
    var arguments: [String: String]
    var results: [String: MenuBranch]
    var timeout: Duration
    /// Whether digits pressed while the bank works are kept for the next question.
    var typeAhead: Bool
}

struct QueueStep: Sendable {
    var queue: String
    var keys: [KeypadDigit: MenuBranch]
    var results: [String: MenuBranch]
}

/// One line of a `choose`: taken when all its conditions hold.
struct Choice: Sendable {
    enum Condition: Sendable {
        case hours(OpeningHours, isOpen: Bool)
        case language(String)
        case loggedIn(Bool)
        case variable(String, is: String)
    }
    var conditions: [Condition]
    var branch: MenuBranch
}

/// Where a key, a result or the end of a prompt leads, and what is done and said on the way.
struct MenuBranch: Sendable {
    enum Target: Sendable, Equatable {
        case state(String)
        /// Back to a question, counted as a failed attempt there.
        case retry(String)
        /// Ask the question of this state again.
        case again
        /// The state that asked for the login.
        case wanted(otherwise: String)
        /// Back to the menu that called this one.
        case back
    }

    /// Numbers the branches of a menu; scripts are measured by it.
    var id: Int
    /// `main: key 1`
    var label: String
    var place: MenuPlace
    var say: [SayTemplate] = []
    var bargeIn = true
    var language: String?
    var marksLogin = false
    /// Variable ← value of the result.
    var keep: [String: String] = [:]
    var target: Target
}

/// One item of a `say` list, before variables are filled in.
indirect enum SayTemplate: Sendable, Equatable {
    enum Form: Sendable, Equatable {
        /// `unsigned` leaves a minus out, where the words around it say which way the money went.
        case amount(currency: CurrencySource, unsigned: Bool)
        case number, count, decimal, date, monthDay, currencyName
        case digits(groups: [Int])
    }
    enum CurrencySource: Sendable, Equatable {
        case code(String)
        case variable(String)
    }

    case clip(String, MenuPlace)
    case value(Form, variable: String, MenuPlace)
    /// A clip chosen by the value of a variable.
    case pick(variable: String, clips: [String: String], otherwise: String?, MenuPlace)
    /// Once for each row of a list result or table.
    case each(String, [SayTemplate], empty: [SayTemplate], MenuPlace)
    case inLanguage(String, [SayTemplate])
    case perLanguage([String: [SayTemplate]])
}
