import Testing

@testable import SIP

@Suite struct ResponseContextTests {
    private func context(isInvite: Bool = true, branches: Int = 1) -> ResponseContext {
        var context = ResponseContext(isInvite: isInvite, firstResponseTime: .milliseconds(300))
        var actions: [ResponseContext.Action] = []
        for _ in 0..<branches { _ = context.begin(into: &actions) }
        return context
    }

    /// §16.7 step 5: 100 is not forwarded; any other provisional response is, at once.
    @Test func provisionalResponsesButTryingAreForwarded() {
        var context = context()
        #expect(context.actions(on: .response(0, status: 100)) == [.cancel(.firstResponse(0))])
        #expect(context.actions(on: .response(0, status: 183)) == [.forward(0)])
        #expect(context.actions(on: .response(0, status: 180)) == [.forward(0)])
    }

    /// §16.7 step 10: after a 2xx the other branches are cancelled; step 5: their 2xx are forwarded all the same.
    @Test func firstAnswerCancelsTheOthers() {
        var context = context(branches: 3)
        _ = context.actions(on: .response(0, status: 180))
        _ = context.actions(on: .response(2, status: 486))
        #expect(
            context.actions(on: .response(1, status: 200)) == [
                .cancel(.firstResponse(1)), .forward(1), .cancelBranch(0),
            ])
        #expect(context.actions(on: .response(0, status: 200)) == [.forward(0)])
        #expect(context.actions(on: .response(0, status: 487)) == [])
    }

    /// §16.7 step 6: "It MUST choose from the 6xx class responses if any exist"; step 5: a 6xx cancels the rest and is
    /// forwarded when all branches have ended.
    @Test func globalFailureWinsAfterTheOthersEnded() {
        var context = context(branches: 2)
        _ = context.actions(on: .response(0, status: 180))
        #expect(
            context.actions(on: .response(1, status: 603)) == [
                .cancel(.firstResponse(1)), .keep(1), .cancelBranch(0),
            ])
        #expect(context.actions(on: .response(0, status: 487)) == [.forwardKept])
    }

    /// §16.7 step 6: lowest class first, and within 4xx what helps the caller to try again.
    @Test func bestResponseIsChosen() {
        var context = context(branches: 4)
        #expect(context.actions(on: .response(0, status: 503)).contains(.keep(0)))
        #expect(context.actions(on: .response(1, status: 404)).contains(.keep(1)))
        #expect(context.actions(on: .response(2, status: 407)).contains(.keep(2)))
        let last = context.actions(on: .response(3, status: 486))
        #expect(!last.contains(.keep(3)))
        #expect(last.last == .forwardKept)
    }

    @Test func refusalLeadsToTheNextTargetAndItsDeclineIsFinal() {
        var context = context()
        #expect(
            context.actions(on: .response(0, status: 503)) == [.cancel(.firstResponse(0)), .keep(0), .tryNext])
        var actions: [ResponseContext.Action] = []
        #expect(context.begin(into: &actions) == 1)
        #expect(
            context.actions(on: .response(1, status: 486)) == [.cancel(.firstResponse(1)), .keep(1), .forwardKept])
        #expect(context.isAnswered)
    }

    @Test func whatATargetSaidCountsMoreThanSilence() {
        var context = context()
        #expect(context.actions(on: .fired(.firstResponse(0))) == [.abandon(0), .tryNext])
        var actions: [ResponseContext.Action] = []
        _ = context.begin(into: &actions)
        #expect(context.actions(on: .response(1, status: 500)).suffix(2) == [.keep(1), .forwardKept])
    }

    @Test func silenceOfAllTargetsIs408ForInviteOnly() {
        var invite = context()
        _ = invite.actions(on: .timedOut(0))
        #expect(invite.actions(on: .exhausted) == [.answer(status: 408)])
        // RFC 4320 §4.1: "A transaction-stateful SIP element MUST NOT send a response with Status-Code of 408 to a
        // non-INVITE request."
        var options = context(isInvite: false)
        _ = options.actions(on: .timedOut(0))
        #expect(options.actions(on: .exhausted) == [.answer(status: 503)])
    }

    @Test func noTargetAtAllIs503() {
        var context = context(branches: 0)
        #expect(context.actions(on: .exhausted) == [.answer(status: 503)])
    }

    /// §16.7 step 6: a 503 that is passed on says that no target would do. Where there is one target only it says just
    /// that; a failure to reach it has nothing that could be passed on.
    @Test func refusalOfAnOnlyTargetIsPassedOnAsItIs() {
        var refused = ResponseContext(isInvite: true, firstResponseTime: nil, passes503: true)
        var actions: [ResponseContext.Action] = []
        _ = refused.begin(into: &actions)
        #expect(refused.actions(on: .response(0, status: 503)) == [.keep(0), .tryNext])
        #expect(refused.actions(on: .exhausted) == [.forwardKept])
        var unreachable = ResponseContext(isInvite: true, firstResponseTime: nil, passes503: true)
        _ = unreachable.begin(into: &actions)
        #expect(unreachable.actions(on: .transportFailed(0)) == [.tryNext])
        #expect(unreachable.actions(on: .exhausted) == [.answer(status: 503)])
    }

    @Test func firstResponseTimerOfATalkingTargetIsHarmless() {
        var context = context()
        _ = context.actions(on: .response(0, status: 100))
        #expect(context.actions(on: .fired(.firstResponse(0))) == [])
    }

    @Test func deadTargetCountsOnceAndOnlyWhileOpen() {
        var context = context()
        _ = context.actions(on: .response(0, status: 180))
        #expect(context.actions(on: .targetDied(0)) == [.abandon(0), .tryNext])
        #expect(context.actions(on: .targetDied(0)) == [])
        #expect(context.actions(on: .targetDied(7)) == [], "a branch that never was")
    }

    /// §9.1: CANCEL is for INVITE alone; §16.10.
    @Test func cancelGoesToOpenBranchesOfAnInvite() {
        var invite = context(branches: 2)
        _ = invite.actions(on: .response(1, status: 404))
        #expect(invite.actions(on: .cancelled) == [.cancelBranch(0)])
        #expect(invite.actions(on: .cancelled) == [])
        #expect(invite.actions(on: .response(0, status: 503)).last == .forwardKept, "404 was there before")
        var options = context(isInvite: false)
        #expect(options.actions(on: .cancelled) == [])
    }
}

extension ResponseContext {
    fileprivate mutating func actions(on event: Event) -> [Action] {
        var actions: [Action] = []
        handle(event, into: &actions)
        return actions
    }
}
