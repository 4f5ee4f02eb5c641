import Primitives
import SIP
import Session

/// Session timers (RFC 4028): who refreshes the session, and what happens when nobody does.
extension CenterCore {
    /// A wait before a refresh is tried again that failed for no lasting reason.
    static var refreshRetry: Duration { .seconds(10) }

    /// 422 for an interval that is too short, 400 for one that cannot be read. True when it was rejected.
    mutating func rejectSessionTimer(of request: Message, _ id: ServerTransactionID, _ flow: Flow) -> Bool {
        guard case .reject(let rejection) = settings.sessionTimer.answer(request) else { return false }
        reject(request, id, flow, rejection.status, .extensions, headers: rejection.headers)
        return true
    }

    /// Takes what a request of the caller says of the session timer; its 2xx carries `timerHeaders`. A phone that
    /// knows no session timers gets none: the longest time of a call still holds.
    mutating func refreshSession(by request: Message, in call: inout Call) {
        let allowed = request.tokens(of: .allow)
        if !allowed.isEmpty { call.allowsUPDATE = allowed.contains("UPDATE") }
        let wantsTimer =
            request.first(.sessionExpires) != nil || request.has(optionTag: "timer", in: .supported)
        guard wantsTimer, case .agreed(let expires, let headers) = settings.sessionTimer.answer(request) else {
            call.timerHeaders = []
            return drive(.stopped, in: &call)
        }
        call.timerHeaders = headers.pairs
        drive(.agreed(seconds: expires.seconds, weRefresh: expires.refresher == .uas), in: &call)
    }

    mutating func drive(_ event: SessionTimer.Event, in call: inout Call) {
        let interval = call.sessionTimer.interval
        for action in call.sessionTimer.handle(event) {
            switch action {
            case .schedule(.refresh, let delay): schedule(.sessionRefresh, in: &call, after: delay)
            case .schedule(.expiry, let delay):
                call.sessionDeadline = now.monotonic + delay
                schedule(.sessionExpiry, in: &call, after: delay)
            case .cancel(.refresh): cancel(.sessionRefresh, in: &call)
            case .cancel(.expiry):
                call.sessionDeadline = nil
                cancel(.sessionExpiry, in: &call)
            case .refresh: refreshDue(&call)
            case .expire: sessionExpired(interval, in: &call)
            }
        }
    }

    private mutating func refreshDue(_ call: inout Call) {
        guard let interval = call.sessionTimer.interval else { return }
        let headers =
            [(HeaderName.supported, Self.supported)]
            + settings.sessionTimer.requestHeaders(current: SessionExpires(seconds: interval, refresher: .uac))
        if call.allowsUPDATE {
            send(.update, headers: headers, in: &call)
        } else {
            reinvite(headers: headers, in: &call)
        }
    }

    /// A final response to a refresh of ours, or that none will come.
    mutating func refreshAnswered(_ method: Method, _ status: Int, _ response: Message?, in call: inout Call) {
        guard let interval = call.sessionTimer.interval else { return endIfGone(&call, status) }
        switch status {
        case 200...299:
            let agreed = response.flatMap { settings.sessionTimer.agreed(by: $0) }
            drive(.agreed(seconds: agreed?.seconds ?? interval, weRefresh: agreed?.refresher != .uas), in: &call)
        case 491:
            schedule(
                .sessionRefresh, in: &call, after: SessionChanges.retryDelay(ownsCallID: false, using: &random))
        case 422:
            // §7.3: "the UAC MAY retry the request with a larger value"; a peer that asks for more each time is left.
            guard let longer = response.flatMap({ settings.sessionTimer.interval(after: $0) }), longer > interval else {
                return
            }
            drive(.agreed(seconds: longer, weRefresh: true), in: &call)
            refreshDue(&call)
        case 405 where method == .update && call.allowsUPDATE, 501 where method == .update && call.allowsUPDATE:
            call.allowsUPDATE = false
            refreshDue(&call)
        case 408, 481: endIfGone(&call, status)
        default: schedule(.sessionRefresh, in: &call, after: Self.refreshRetry)
        }
    }

    /// RFC 3261 §12.2.1.2: "If the response for a request within a dialog is a 481 … or a 408 …, the UAC SHOULD
    /// terminate the dialog."
    private mutating func endIfGone(_ call: inout Call, _ status: Int) {
        switch status {
        case 481: endUnknown(&call)
        case 408: if !outlivesSilence(&call) { hangUp(&call, .lost, "the caller's phone does not answer") }
        default: break
        }
    }
}
