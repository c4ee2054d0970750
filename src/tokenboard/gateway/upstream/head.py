"""The head of an answer: whether its framing may be trusted, and what it means for the connection."""

import re
from typing import Final, final

from tokenboard.gateway.upstream.bounds import Limits

_KEEP_ALIVE_SECONDS: Final = re.compile(rb"(?:^|[\s,;])timeout\s*=\s*(\d{1,6})", re.IGNORECASE)


class BadHead(ValueError):
    """The head is over a limit, or its framing is not to be trusted; the text is fit for a log."""


@final
class Framing:
    """How the body of the answer judged last ends, and how long its connection may be kept.

    ``until_close``: the body ends with the connection (RFC 9112 section 6.3, rule 8). ``chunked``: it is in chunks.
    ``lasting``: nothing in the head forbids reuse; the parser's own verdict comes on top. ``keep_alive_s``: the seconds
    for which the upstream says that it keeps an idle connection, or None.
    """

    __slots__ = ("chunked", "keep_alive_s", "lasting", "until_close")

    def __init__(self) -> None:
        self.until_close = False
        self.chunked = False
        self.lasting = False
        self.keep_alive_s: float | None = None

    def judge(self, status: int, version: str, headers: list[tuple[bytes, bytes]], limits: Limits) -> None:
        """Judge a final (not 1xx) head that llhttp has already accepted in its strict mode.

        llhttp itself refuses two Content-Lengths, and Content-Length beside Transfer-Encoding. Raises BadHead for more
        than `limits.max_headers` or `max_header_bytes`, a status outside 200 to 599, a version other than 1.0 and 1.1,
        and a Transfer-Encoding other than one `chunked`: a coding the gateway does not undo would reach the client as
        if it were content, and llhttp would read such a body to the end of the connection.
        """
        if not 200 <= status <= 599:
            raise BadHead("a status outside 100 to 599")
        if version not in {"1.1", "1.0"}:
            raise BadHead("a version other than HTTP/1.0 and HTTP/1.1")
        if len(headers) > limits.max_headers:
            raise BadHead(f"more than {limits.max_headers} headers")
        size = 0
        has_length = False
        is_chunked = False
        keep_alive_s: float | None = None
        for name, value in headers:
            width = len(name)
            size += width + len(value) + 4
            # Lengths are compared before letters: few names have one of these, and lower() costs more.
            if width == 14 and name.lower() == b"content-length":
                has_length = True
            elif width == 17 and name.lower() == b"transfer-encoding":
                if is_chunked or value.strip().lower() != b"chunked":
                    raise BadHead("a transfer coding other than chunked")
                is_chunked = True
            elif width == 10 and name.lower() == b"keep-alive":
                found = _KEEP_ALIVE_SECONDS.search(value)
                keep_alive_s = float(found[1]) if found is not None else keep_alive_s
        if size > limits.max_header_bytes:
            raise BadHead(f"more than {limits.max_header_bytes} bytes of headers")
        self.chunked = is_chunked
        self.until_close = not (has_length or is_chunked or status in {204, 304})
        # RFC 9112 section 6.1: chunks in HTTP/1.0 are faulty framing, close after it.
        self.lasting = not (is_chunked and version == "1.0")
        self.keep_alive_s = keep_alive_s
