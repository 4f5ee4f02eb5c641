"""What callers do while nobody owns their call, and phones that answer the re-INVITE in every way there is."""

from lib.cast import Part, answered_within, at
from lib.death import Verdicts, death_of, expect_moved, in_time, timed
from lib.loop import LOOP, eventually, expect, wait_for
from lib.scenario import scenario


class HangsUpInTheGap(Part):
    """BYE is answered though nobody owns the call; the session ends with one CDR that says caller."""

    takeovers = None

    def act(self, death):
        at(death, 0.15, self.bye)

    def bye(self):
        self.sent = self.call.bye()

    def finish(self, death):
        response = answered_within(self.sent, 3)
        expect(response.status == 200, f"BYE was answered {response.status}")
        in_time(self.sent.final_at - self.sent.sent_at <= 2, f"BYE was answered after {self.sent.final_at - self.sent.sent_at:.1f} s")

    def judge_record(self):
        rows = eventually(self.cdrs, 10, "CDR")
        expect(len(rows) == 1 and rows[0]["end"] == "caller", f"{rows}")


class HangsUpAtOnce(HangsUpInTheGap):
    """Its BYE is mostly repeated when nobody has noticed the death yet, and then only after its call was taken over and ended."""

    def act(self, death):
        at(death, 0.03, self.bye)


class HangsUpWithoutRoutes(HangsUpInTheGap):
    """The same from a caller that sends no Route, as SIPp does."""

    options = {"uses_routes": False}


class HangsUpDirectly(HangsUpInTheGap):
    """A caller that dialed the center itself: nothing answers it, but its record says that it was the caller or that it was lost."""

    direct = True

    def bye(self):
        self.sent = self.call.bye()

    def finish(self, death):
        pass

    def judge_record(self):
        rows = eventually(self.cdrs, 20, "CDR")
        expect(len(rows) == 1 and rows[0]["end"] in ("caller", "lost"), f"{rows}")


class SendsINFO(Part):
    """A digit by INFO: 200 when somebody owns the call again, else 503 with Retry-After."""

    line = "95533"

    def act(self, death):
        at(death, 0.1, self.press)

    def press(self):
        self.sent = self.call.request("INFO", [("Content-Type", "application/dtmf-relay")], b"Signal=2\r\nDuration=160\r\n")

    def finish(self, death):
        judge_late(answered_within(self.sent, 3))
        super().finish(death)


class SendsOPTIONS(Part):
    def act(self, death):
        at(death, 0.1, self.ask)

    def ask(self):
        self.sent = self.call.request("OPTIONS")

    def finish(self, death):
        judge_late(answered_within(self.sent, 3))
        super().finish(death)


class OffersHoldInTheGap(Part):
    """A re-INVITE of the caller's own meets nobody, or the re-INVITE of the new owner: after both the call goes on."""

    def act(self, death):
        at(death, 0.12, self.hold)

    def hold(self):
        self.sent = self.call.reinvite("sendonly", seconds=None)

    def finish(self, death):
        response = answered_within(self.sent, 4)
        expect(response.status in (200, 491, 500, 503), f"re-INVITE was answered {response.status}")
        eventually(lambda: self.call.moves or response.status == 200, 4, "move of the call")
        LOOP.let_pass(0.3)
        self.call.reinvite("sendrecv")
        self.call.stream.wait_packets(10, 3, self.call.stream.mark())
        expect(not self.call.problems, "; ".join(self.call.problems))
        self.call.hang_up()


def judge_late(response):
    expect(response.status in (200, 503), f"it was answered {response.status} {response.reason}")
    if response.status == 503:
        expect(response.get("retry-after"), "503 without Retry-After")


class IsOnHold(Part):
    """Held by sendonly: nothing is sent to it, the offer keeps the direction, and it can resume."""

    hold = "sendonly"
    expected = "recvonly"

    def prepare(self):
        self.call.reinvite(self.hold)
        LOOP.let_pass(0.3)
        self.mark = self.call.stream.mark()

    def finish(self, death):
        move = expect_moved(self.call, death)
        expect(move.offer.audio.direction == self.expected, f"the offer to a caller on hold is {move.offer.audio.direction}")
        packets = len(self.call.stream.since(self.mark))
        expect(packets <= 3, f"{packets} packets were sent to a caller on hold")
        self.call.reinvite("sendrecv")
        self.call.stream.wait_packets(10, 2, self.call.stream.mark())
        self.call.hang_up()


class IsOnHoldBothWays(IsOnHold):
    hold = expected = "inactive"


class RefusesTheOffer(Part):
    """488 keeps the dialog: the call goes on as far as audio still flows, and can be hung up."""

    def prepare(self):
        self.call.on_reinvite = self.refuse

    def refuse(self, call, message, source):
        call.refuse_reinvite(message, source, 488, "Not Acceptable Here")
        return True

    def finish(self, death):
        wait_for(lambda: self.call.moves, 3, "re-INVITE")
        expect(self.call.state == "answered", "the call ended")
        self.expect_audio(death)
        self.call.hang_up()


class ForgotTheCall(Part):
    """481: the caller's phone restarted. The session ends as 'caller', and its audio stops."""

    status, reason = 481, "Call/Transaction Does Not Exist"

    def prepare(self):
        self.call.on_reinvite = self.refuse

    def refuse(self, call, message, source):
        call.refuse_reinvite(message, source, self.status, self.reason)
        return True

    def finish(self, death):
        wait_for(lambda: self.call.moves, 3, "re-INVITE")
        self.judge_record()
        mark = self.call.stream.mark()
        LOOP.let_pass(0.5)
        expect(len(self.call.stream.since(mark)) == 0, "audio goes on")


class TimesOut(ForgotTheCall):
    """408 ends it as 'lost'."""

    end = "lost"
    status, reason = 408, "Request Timeout"


class AnswersNothing(ForgotTheCall):
    """No answer within 64 times T1 ends it as 'lost'."""

    end = "lost"

    def refuse(self, call, message, source):
        return True

    def finish(self, death):
        wait_for(lambda: self.call.moves, 3, "re-INVITE")
        eventually(self.cdrs, 15, "CDR of a caller that does not answer")
        super().finish(death)


class IsBusyWithItsOwn(Part):
    """491: asked again within two seconds and then moved (RFC 3261 §14.1)."""

    def prepare(self):
        self.refused = 0
        self.call.on_reinvite = self.refuse

    def refuse(self, call, message, source):
        self.refused += 1
        if self.refused == 1:
            call.refuse_reinvite(message, source, 491, "Request Pending")
        return self.refused == 1

    def finish(self, death):
        wait_for(lambda: len(self.call.moves) >= 2, 6, "second re-INVITE after 491")
        wait_for(lambda: self.call.acks >= 1 and self.call.last_ack == self.call.moves[-1].cseq, 2, "ACK")
        expect(self.call.center != self.center, "its target is still the dead center")
        expect(not self.call.problems, "; ".join(self.call.problems))
        self.expect_audio(death)
        self.call.hang_up()


class NeverAcknowledged(Part):
    """The 200 whose ACK never came is sent again by the new owner; the re-INVITE follows."""

    options = {"auto_ack": False}

    def act(self, death):
        self.copies = self.call.ok_count

    def finish(self, death):
        wait_for(lambda: self.call.ok_count > self.copies, 3, "200 from the new owner")
        self.call.ack()
        wait_for(lambda: self.call.moves, 3, "re-INVITE after the ACK")
        wait_for(lambda: self.call.acks, 3, "ACK of the re-INVITE")
        super().finish(death)


class CallsByTCP(Part):
    """Reached through the connection that access holds."""

    transport = "tcp"


class DialedTheCenter(Part):
    """No access in its route set: the new owner reaches it at its Contact."""

    direct = True


class OfferedNothing(Part):
    """Its first INVITE carried no offer."""

    options = {"offerless": True}


class PrefersMuLaw(Part):
    """The codec stays."""

    options = {"codecs": (0, 8)}

    def finish(self, death):
        expect_moved(self.call, death)
        types = {packet.payload_type for packet in self.call.stream.packets}
        expect(types == {0}, f"payload types {types}")
        super().finish(death)


class GoesOnInTheMenu(Part):
    """Digits count at the new center as they did at the old."""

    line = "95533"

    def finish(self, death):
        expect_moved(self.call, death)
        self.expect_audio(death)
        LOOP.let_pass(1.0)
        self.call.stream.press("2", milliseconds=80, gap=60)
        self.test.api.wait_state(self.phone.user, "main", 5)
        self.call.hang_up()


def play(test, parts, node, frozen=False, settle=2.5):
    for center in test.system.centers():
        test.api.wait_node(center, ("up", "ramping"), 30)
    cast = [part(test, node).dial() for part in parts if part is not NeverAcknowledged]
    # Only so long before the kill that its 200 is still being repeated.
    cast += [part(test, node).dial() for part in parts if part is NeverAcknowledged]
    verdicts = Verdicts()
    for part in cast:
        with verdicts.about(f"{part.name}, before"):
            part.prepare()
    with death_of(test, node, frozen) as death:
        with LOOP.lock:
            for part in cast:
                part.act(death)
        LOOP.let_pass(settle - death.since)
        for part in cast:
            with verdicts.about(part.name):
                part.finish(death)
        death.thaw()
        for part in cast:
            with verdicts.about(f"{part.name}, record"):
                part.judge_record()
    verdicts.judge()


@scenario("takeover", system="trio", order=90)
@timed
def callers_who_act_in_the_gap(test):
    """BYE, INFO, OPTIONS and re-INVITE between the death and the takeover; on hold; by TCP; dialed directly; a 200 without ACK."""
    play(test, [HangsUpInTheGap, HangsUpAtOnce, HangsUpWithoutRoutes, HangsUpDirectly, SendsINFO, SendsOPTIONS,
                OffersHoldInTheGap, IsOnHold, IsOnHoldBothWays, CallsByTCP, DialedTheCenter, OfferedNothing, PrefersMuLaw, GoesOnInTheMenu, NeverAcknowledged],
         "center-a")


@scenario("takeover", system="trio", order=91)
@timed
def phones_that_answer_the_new_owner_in_every_way(test):
    """488, 481, 408, no answer, 491."""
    play(test, [RefusesTheOffer, ForgotTheCall, TimesOut, AnswersNothing, IsBusyWithItsOwn], "center-b")


@scenario("takeover", system="trio", order=92)
@timed
def callers_who_act_while_their_center_is_frozen(test):
    """Nobody refuses what is sent to a stopped process; it only stays unanswered."""
    play(test, [HangsUpInTheGap, HangsUpAtOnce, HangsUpWithoutRoutes, SendsINFO, OffersHoldInTheGap, IsOnHold,
                CallsByTCP], "center-a", frozen=True, settle=3)
