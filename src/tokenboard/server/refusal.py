"""What the server itself answers: requests it does not hand to the application, and failures of that."""

from collections.abc import Callable

from tokenboard.server.response import render_head

FAULT = "Something went wrong here, not with your request; the server's log tells more."
"""What a client is told of a fault of ours."""

Render = Callable[[int, str, str | None], tuple[bytes, bytes]]
"""Makes the body of such an answer: from status, message and path, None where unknown, to content type and bytes."""


class Refusal(Exception):
    """A request is answered by the server and its connection ends.

    ``status`` is 400 to 599, ``message`` says what is wrong and how to mend it; it repeats nothing of the request.
    ``path`` is the request's, percent-decoded, as far as it was read: clients of different paths read different errors.
    """

    def __init__(self, status: int, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.path = path


def render_plain(status: int, message: str, path: str | None) -> tuple[bytes, bytes]:  # noqa: ARG001
    """Return the message as plain text."""
    return b"text/plain; charset=utf-8", f"{status} {message}\n".encode()


def answer_of(refusal: Refusal, render: Render, date: bytes) -> bytes:
    """Return the whole answer, head and body, that tells a refusal; it is the connection's last."""
    content_type, body = render(refusal.status, refusal.message, refusal.path)
    head, _, _, _ = render_head(
        refusal.status,
        [(b"content-type", content_type)],
        whole=len(body),
        to_head=False,
        version_1_0=False,
        closes=True,
        date=date,
    )
    return head + body
