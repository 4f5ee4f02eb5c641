@testable import SIP

/// Runs an event through a machine and returns its actions as an array.
extension InviteClientTransaction {
    mutating func actions(on event: Event) -> [Action] {
        var actions = ActionBuffer<Action>()
        handle(event, timers: .standard, into: &actions)
        return Array(actions)
    }
}

extension NonInviteClientTransaction {
    mutating func actions(on event: Event) -> [Action] {
        var actions = ActionBuffer<Action>()
        handle(event, timers: .standard, into: &actions)
        return Array(actions)
    }
}

extension InviteServerTransaction {
    mutating func actions(on event: Event) -> [Action] {
        var actions = ActionBuffer<Action>()
        handle(event, timers: .standard, into: &actions)
        return Array(actions)
    }
}

extension NonInviteServerTransaction {
    mutating func actions(on event: Event) -> [Action] {
        var actions = ActionBuffer<Action>()
        handle(event, timers: .standard, into: &actions)
        return Array(actions)
    }
}
