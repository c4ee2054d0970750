"""One request as far as it has been read, and its answer as far as it was sent."""

from collections.abc import Iterable
from typing import Final

from tokenboard.server.head import Head
from tokenboard.server.response import Framing, render_head

_UNFRAMED: Final = Framing.NONE
_SIZED: Final = Framing.LENGTH
_CHUNKED: Final = Framing.CHUNKED


class Request:
    """One request and its answer.

    ``length`` is its body's, None when it is chunked; ``received`` counts the bytes that have come, ``held`` those in
    ``pieces``, which nobody has taken. ``whole``: it has arrived in full; ``read_to_end``: and was taken in full.
    ``keep``: the connection may outlive it. ``gone``: its client is away, or sends nothing more; ``parted``: what is
    answered goes nowhere. ``begun`` and ``complete`` tell of the answer, ``status`` and ``fields`` are its head's,
    ``remaining`` is what its Content-Length leaves to send, ``closes`` says that the connection ends with it.
    """

    __slots__ = (
        "awaits_continue",
        "begun",
        "closes",
        "complete",
        "fields",
        "framing",
        "gone",
        "head",
        "held",
        "keep",
        "length",
        "parted",
        "pieces",
        "read_to_end",
        "received",
        "remaining",
        "status",
        "whole",
    )

    def __init__(self, head: Head, *, keep: bool) -> None:
        self.head = head
        self.length = head.length
        self.keep = keep
        self.received = 0
        self.held = 0
        self.pieces: list[bytes] = []
        self.awaits_continue = head.expects_continue
        self.whole = False
        self.read_to_end = False
        self.gone = False
        self.parted = False
        self.begun = False
        self.complete = False
        self.closes = False
        self.status = 0
        self.fields: Iterable[tuple[bytes, bytes]] = ()
        self.framing: Framing = _UNFRAMED
        self.remaining = 0

    def render(self, whole: int | None, date: bytes, *, closes: bool) -> bytes:
        """Return the head of the answer, which begins it; ``whole`` is its body's length when all of that is here.

        Raises:
            BadResponse: an answer that cannot be sent as HTTP.

        """
        head, self.framing, self.remaining, self.closes = render_head(
            self.status,
            self.fields,
            whole=whole,
            to_head=self.head.method == "HEAD",
            version_1_0=self.head.version == "1.0",
            closes=closes,
            date=date,
        )
        self.begun = True
        return head

    def fits(self, body: bytes, *, last: bool) -> bool:
        """Take a piece off the length that was told; whether it does not break it."""
        if self.framing is not _SIZED:
            return True
        self.remaining -= len(body)
        return self.remaining == 0 if last else self.remaining >= 0

    def frame(self, body: bytes, *, last: bool) -> bytes:
        """Return a piece of the body as it is sent."""
        framing = self.framing
        if framing is _CHUNKED:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return data + b"0\r\n\r\n" if last else data
        return b"" if framing is _UNFRAMED else body
