import Primitives

/// What a caller means to do in one call.
struct Errand: Sendable {
    enum Kind: Sendable {
        /// Login, then these in order, then goodbye.
        case bank([Item])
        /// Listens and says nothing until the menu ends the call.
        case silent
        /// A wrong PIN three times.
        case forgetful
        case music(Duration)
        case echo(Duration)
        case unknownLine
        /// Hangs up before the answer.
        case cancels(after: Duration)
    }

    enum Item: Sendable, Equatable {
        case balance
        case transfer(Transfer, confirms: Bool)
    }

    var kind: Kind
    var customer: Int
    var language: String
    /// Hangs up at this age of the call, whatever is going on.
    var patience: Duration
    /// Sends no Route and aims everything at access, as SIPp's built-in caller does.
    var isRouteless = false
    /// Sends no description with the INVITE.
    var isOfferless = false
    /// Presses by SIP INFO instead of telephone-events.
    var pressesByINFO = false
    var allowsUPDATE = true
    /// Wants a session timer that the center refreshes.
    var sessionExpires_s: Int?
    /// Holds and resumes once, on a line that allows it.
    var holds = false

    var line: String {
        switch kind {
        case .bank, .silent, .forgetful, .cancels: "95533"
        case .music: "9664"
        case .echo: "9196"
        case .unknownLine: "4711"
        }
    }
}

/// An order of a caller. Amounts are used once in a run, so that an amount names a transfer.
struct Transfer: Hashable, Sendable {
    var from: Int
    var to: Int
    var amountMinor: Int64
}
