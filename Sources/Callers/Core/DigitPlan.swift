import Media
import Primitives

/// What a caller does with its keypad, as one compact text. White space means nothing; everything else is one of:
///
/// | text | means |
/// |---|---|
/// | `0`…`9` `*` `#` `A`…`D` | press the key (RFC 4733, 100 ms down, 100 ms up) |
/// | `,` | pause for 1 s |
/// | `.` | pause for 100 ms |
/// | `w` | wait until the other side has spoken and then been quiet for 800 ms (or silent for 2 s); 30 s at most |
/// | `{…}` | a number that depends on the caller, see below |
/// | `e` | from here on the other side is expected to hang up, whatever its reason: that is then no dropped call |
/// | `h` | hang up, however much of the hold time is left |
///
/// Between braces stand numbers, `n` (1 for the first caller) and `n%K`, joined by `+` or `-`; `:W` behind them pads
/// with zeros to W digits: `{10000000+n}`, `{10000001+n%500}`, `{n:8}`.
///
/// A plan starts when the call is answered. Where the other side takes no telephone-events, keys are not sent and the
/// caller's report says so. Texts of digits may be PINs: a plan does not print, and its errors name places only.
public struct DigitPlan: Sendable {
    /// The longest text, in characters.
    public static let limit = 1000

    /// What a caller does, its number filled in.
    public enum Step: Hashable, Sendable {
        case press([Digit])
        case pause(Duration)
        case awaitPause
        case expectEnd
        case hangUp
    }

    enum Element: Sendable {
        case step(Step)
        case number(CallerNumber)
    }

    let elements: [Element]

    /// Nothing is pressed.
    public static let none = DigitPlan(elements: [])

    init(elements: [Element]) { self.elements = elements }

    /// The steps of one caller; runs of keys and of pauses are joined.
    /// - Parameter caller: 1 for the first.
    public func steps(forCaller caller: Int) -> [Step] {
        var steps: [Step] = []
        for element in elements {
            let step =
                switch element {
                case .step(let step): step
                case .number(let number): Step.press(number.digits(forCaller: caller))
                }
            switch (steps.last, step) {
            case (.press(let before), .press(let keys))
            where before.count + keys.count <= TelephoneEventSender.queueLimit:
                steps[steps.count - 1] = .press(before + keys)
            case (.pause(let before), .pause(let more)): steps[steps.count - 1] = .pause(before + more)
            default: steps.append(step)
            }
        }
        return steps
    }
}

/// What is wrong with a plan, and where: it shows one character at most.
public struct DigitPlanError: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1; the length and one more when something is missing at the end.
    public var column: Int
    public var problem: String

    public var description: String { "character \(column): \(problem)" }
}

extension DigitPlan: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "plan of \(elements.count) elements" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension DigitPlan {
    public init(_ text: String) throws(DigitPlanError) {
        let characters = Array(text)
        guard characters.count <= Self.limit else {
            throw DigitPlanError(column: Self.limit + 1, problem: "a plan has at most \(Self.limit) characters")
        }
        var elements: [Element] = []
        var index = 0
        while index < characters.count {
            let character = characters[index]
            index += 1
            switch character {
            case "0"..."9", "*", "#", "A"..."D":
                guard let digit = Digit(character) else { throw Self.unknown(character, at: index) }
                elements.append(.step(.press([digit])))
            case ",": elements.append(.step(.pause(.seconds(1))))
            case ".": elements.append(.step(.pause(.milliseconds(100))))
            case "w": elements.append(.step(.awaitPause))
            case "e": elements.append(.step(.expectEnd))
            case "h": elements.append(.step(.hangUp))
            case "{":
                guard let end = characters[index...].firstIndex(of: "}") else {
                    throw DigitPlanError(column: index, problem: "\"{\" has no \"}\"")
                }
                elements.append(.number(try CallerNumber(characters[index..<end])))
                index = end + 1
            default:
                guard character.isWhitespace else { throw Self.unknown(character, at: index) }
            }
        }
        self.elements = elements
    }

    private static func unknown(_ character: Character, at column: Int) -> DigitPlanError {
        DigitPlanError(
            column: column,
            problem: "found \"\(character)\", expected a key (0-9 * # A-D), a pause (, or .), w, e, h or {…}")
    }
}
