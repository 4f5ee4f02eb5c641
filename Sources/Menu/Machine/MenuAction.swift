import Speech

/// Numbers one playing of prompts within a call.
public struct PromptID: Hashable, Sendable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Numbers one request to the bank within a call, so that a late answer is not taken for a newer one's.
public struct OperationCall: Hashable, Sendable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

public enum MenuTimer: Hashable, Sendable, CaseIterable {
    /// Nothing was pressed since the question ended.
    case firstDigit
    /// Nothing was pressed since the last digit of an entry.
    case interDigit
    /// How long a `#` after an entry of fixed length still belongs to that entry.
    case swallowHash
    /// The bank does not answer.
    case operation
    /// After a takeover: digits were meant for what the caller no longer hears.
    case settling
}

/// How waiting in a queue ended.
public enum QueueResult: String, Sendable, CaseIterable {
    /// The conversation with an agent is over and the caller is still there.
    case ended
    /// All agents are busy and the queue takes nobody.
    case busy
    /// The caller waited as long as the queue allows.
    case timedOut = "timed-out"
    /// There is no such service now: closed, or no seat center lives.
    case unavailable
}

public enum MenuEvent: Sendable {
    /// The call was answered.
    case entered
    /// The call goes on from a checkpoint, at this or another center.
    case resumed(MenuSnapshot)
    case digit(KeypadDigit)
    /// All items of a `.play` were heard to their end. Not sent after `.stopPlaying`; a late one is harmless.
    case promptsFinished(PromptID)
    case fired(MenuTimer)
    case operationResult(OperationCall, name: String, values: [String: MenuValue] = [:])
    /// The bank knows no operation of the id that `.askOutcome` named: it never ran, and never will by itself.
    case operationNeverRan(OperationCall)
    case queueResult(QueueResult)
}

/// A request to the bank.
public struct MenuOperation: Equatable, Sendable {
    public var call: OperationCall
    /// As in `OperationCatalogue`: `login`, `transfer`, …
    public var name: String
    public var arguments: [String: MenuArgument]
    /// Fixed when the caller heard the read-back; set for money only. The same id must never run twice.
    public var operationID: String?
}

public enum MenuAction: Equatable, Sendable {
    /// Speak these items one after another; `promptsFinished` reports the end. Nothing else is playing then.
    case play(PromptID, [PromptItem], interruptible: Bool)
    case stopPlaying
    /// Replaces a running timer of the same name.
    case schedule(MenuTimer, Duration)
    case cancel(MenuTimer)
    case operation(MenuOperation)
    /// After a takeover: what became of the operation of this id? Answered by `.operationResult` or
    /// `.operationNeverRan`; must not be run again unasked.
    case askOutcome(OperationCall, name: String, operationID: String)
    case transferToQueue(String)
    /// The caller left the queue by a key.
    case leaveQueue
    /// The end, as the menu has it. No action follows.
    case hangUp(reason: String)
    /// Take a checkpoint. `path` is the name for call records, `extendsPath` whether it is to be appended there.
    case enteredState(String, path: String, extendsPath: Bool)
    case languageChosen(String)
    case loggedIn(customer: String)
}
