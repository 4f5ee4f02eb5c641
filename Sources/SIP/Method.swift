/// A SIP request method (RFC 3261 §7.1 and its extensions). Methods are case-sensitive.
public enum Method: Hashable, Sendable {
    case invite, ack, bye, cancel, options, info, update, prack, register, subscribe, notify, message, refer, publish
    /// A syntactically valid token that names none of the above; a server answers it with 405 or 501.
    case other(String)
}

extension Method: CustomStringConvertible {
    public init(token: String) {
        self =
            switch token {
            case "INVITE": .invite
            case "ACK": .ack
            case "BYE": .bye
            case "CANCEL": .cancel
            case "OPTIONS": .options
            case "INFO": .info
            case "UPDATE": .update
            case "PRACK": .prack
            case "REGISTER": .register
            case "SUBSCRIBE": .subscribe
            case "NOTIFY": .notify
            case "MESSAGE": .message
            case "REFER": .refer
            case "PUBLISH": .publish
            default: .other(token)
            }
    }

    public var description: String {
        switch self {
        case .invite: "INVITE"
        case .ack: "ACK"
        case .bye: "BYE"
        case .cancel: "CANCEL"
        case .options: "OPTIONS"
        case .info: "INFO"
        case .update: "UPDATE"
        case .prack: "PRACK"
        case .register: "REGISTER"
        case .subscribe: "SUBSCRIBE"
        case .notify: "NOTIFY"
        case .message: "MESSAGE"
        case .refer: "REFER"
        case .publish: "PUBLISH"
        case .other(let token): token
        }
    }
}
