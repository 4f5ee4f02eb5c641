"""A small answering party made of the same phone: lets the instruments be checked without the product."""

from . import audio
from .message import host_text
from .phone import Phone


class Answerer:
    """Answers every call with a tone, echoes line 9196, redirects line 302, refuses 404, and notes digits."""

    def __init__(self, ip="127.0.0.1"):
        self.phone = Phone(ip, user="answerer")
        self.phone.on_invite = self._invited
        self.address = (ip, self.phone.port)
        self.redirect_to = None

    def _invited(self, call):
        line = call.invite_request.uri.partition(":")[2].partition("@")[0]
        if line == "404":
            call.refuse(404, "Not Found")
        elif line == "302":
            host, port = self.redirect_to
            call.refuse(302, "Moved Temporarily", [("Contact", f"<sip:95533@{host_text(host)}:{port}>")])
        elif line == "ring":
            call.ring()
        else:
            call.ring()
            call.accept()
            if line == "9196":
                call.stream.on_packet = lambda packet: call.stream.play([packet.payload])
            else:
                call.stream.play(audio.tone((440,), 2000, call.stream.codec))

    def close(self):
        self.phone.close()
