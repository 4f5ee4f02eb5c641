import Media
import Primitives

/// One caller on its way through its digit plan.
struct PlanRun: Equatable, Sendable {
    enum Event: Equatable, Sendable {
        case answered
        /// The pause that was scheduled, or the patience with a wait, is over.
        case fired
        /// All keys of the last `press` have been sent.
        case pressed
        /// The other side paused.
        case paused
    }

    enum Action: Equatable, Sendable {
        case press([Digit])
        case awaitPause
        /// One timer, which a new one replaces.
        case schedule(Duration)
        case cancel
        case hangUp
    }

    private enum State: Equatable, Sendable { case initial, pressing, pausing, listening, done }

    /// How long a `w` waits at most.
    static let patience = Duration.seconds(30)

    private var steps: ArraySlice<DigitPlan.Step>
    private var state = State.initial
    /// The plan came to a place where the other side may hang up.
    private(set) var expectsEnd = false

    init(_ steps: [DigitPlan.Step]) { self.steps = steps[...] }

    var isDone: Bool { state == .done }

    mutating func handle(_ event: Event) -> [Action] {
        switch (state, event) {
        case (.initial, .answered), (.pressing, .pressed), (.pausing, .fired), (.listening, .fired): return advance()
        case (.listening, .paused): return [.cancel] + advance()
        case (.initial, _), (.pressing, _), (.pausing, _), (.listening, _), (.done, _): return []
        }
    }

    private mutating func advance() -> [Action] {
        while let step = steps.popFirst() {
            switch step {
            case .press(let digits):
                state = .pressing
                return [.press(digits)]
            case .pause(let span):
                state = .pausing
                return [.schedule(span)]
            case .awaitPause:
                state = .listening
                return [.awaitPause, .schedule(Self.patience)]
            case .expectEnd: expectsEnd = true
            case .hangUp:
                state = .done
                return [.hangUp]
            }
        }
        state = .done
        return []
    }
}
