"""One request's answer as it arrives: the head, the body bytes not yet read, and the end or the error."""

from typing import final

from tokenboard.gateway.upstream.errors import UpstreamError


@final
class Exchange:
    """What the machine has received of one answer, and its reader has not yet taken.

    ``open`` until the answer has ended: ``complete`` tells that it ended by the rules of its framing, ``error`` why it
    never will; then exactly one of them is set, and the connection may already carry somebody else's request.
    ``status`` is 0 until the final head has arrived; ``headers`` are then whole. ``size`` is that of ``chunks``, in
    bytes. ``stale``: it was ended by a kept connection's end, before anything of the request had reached the upstream.
    """

    __slots__ = ("chunks", "complete", "error", "headers", "open", "size", "stale", "status")

    def __init__(self) -> None:
        self.open = True
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.size = 0
        self.complete = False
        self.stale = False
        self.error: UpstreamError | None = None

    def take(self) -> bytes:
        """Give the unread bytes, at least one piece of them, as one."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.size = 0
        return data
