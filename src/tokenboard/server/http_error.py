"""Errors that the server itself answers: requests it does not hand to the application, and failures of that."""

from collections.abc import Callable

from tokenboard.server.response import render_head

FAULT = "Something went wrong here, not with your request; the server's log tells more."
"""The message of a 500: the fault is ours."""

Render = Callable[[int, str, str | None], tuple[bytes, bytes]]
"""Makes an error's body: takes status, message and path (None where unknown), returns content type and bytes."""


class HttpError(Exception):
    """The server answers a request with this error itself, and closes the connection.

    ``status`` is 400 to 599, ``message`` says what is wrong and how to fix it; it repeats nothing of the request.
    ``path`` is the request's, percent-decoded, as far as it was read: the shape of an error depends on the path.
    """

    def __init__(self, status: int, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.path = path


def render_plain(status: int, message: str, path: str | None) -> tuple[bytes, bytes]:  # noqa: ARG001
    """Return the message as plain text."""
    return b"text/plain; charset=utf-8", f"{status} {message}\n".encode()


def answer_of(error: HttpError, render: Render, date: bytes) -> bytes:
    """Return the whole response, head and body, for an error; it is the last on its connection."""
    content_type, body = render(error.status, error.message, error.path)
    head, _, _, _ = render_head(
        error.status,
        [(b"content-type", content_type)],
        whole=len(body),
        to_head=False,
        version_1_0=False,
        closes=True,
        date=date,
    )
    return head + body
