"""What the server itself answers: requests it does not hand to the application, and failures of that."""

from collections.abc import Callable

Render = Callable[[int, str], tuple[bytes, bytes]]
"""Makes the body of such an answer: from status and message to the content type and the bytes."""


class Refusal(Exception):
    """A request is answered by the server and its connection ends.

    ``status`` is 400 to 599, ``message`` says what is wrong and how to mend it; it repeats nothing of the request.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def render_plain(status: int, message: str) -> tuple[bytes, bytes]:
    """Return the message as plain text."""
    return b"text/plain; charset=utf-8", f"{status} {message}\n".encode()
