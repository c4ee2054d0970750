"""What can go wrong between the gateway and an upstream, as one small tree.

Every error tells three things beside its text: a hint for the operator, whether any byte of the request was handed to
a connection (`sent`), and whether any byte of an answer had arrived (`before_response`). No text holds anything of a
request or of an answer, so each may be logged.
"""

from typing import ClassVar


class UpstreamError(Exception):
    """The upstream did not give a whole answer; the root of the tree.

    `sent` is True once the request was written to a connection, wholly or in part: the upstream may have worked on it.
    `before_response` is True while no byte of an answer has arrived: the caller may try another upstream, though when
    `sent` is True as well the first one may already have done, and billed, the work.
    """

    hint: ClassVar[str] = "Look at the upstream's own log for the time of this request."

    def __init__(self, message: str, *, sent: bool, before_response: bool) -> None:
        super().__init__(message)
        self.sent = sent
        self.before_response = before_response


class ConnectFailed(UpstreamError):
    """No connection could be made: name not found, refused, unreachable, or the TLS handshake was turned down."""

    hint = "Check the upstream's base_url, that it is running, its certificate, and DNS and firewalls on the way."

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False, before_response=True)


class ConnectTimeout(UpstreamError):
    """Connecting, with name look-up and TLS handshake, took longer than `Timeouts.connect_s`."""

    hint = "The upstream's address does not answer: check base_url, firewalls and the upstream's load."

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False, before_response=True)


class PoolExhausted(UpstreamError):
    """Every connection was busy and the queue full or too slow, or the pool has been closed."""

    hint = "Raise the upstream's connection limit, or send less: its answers take longer than requests arrive."

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False, before_response=True)


class FirstByteTimeout(UpstreamError):
    """The head of the answer was not there `Timeouts.first_byte_s` after the request had been written."""

    hint = "Models can think long before they answer: raise the first-byte timeout, or look at the upstream's queue."

    def __init__(self, message: str, *, before_response: bool) -> None:
        super().__init__(message, sent=True, before_response=before_response)


class IdleTimeout(UpstreamError):
    """The answer had begun, then no byte of its body came for `Timeouts.idle_s` while the caller waited for one."""

    hint = "The upstream stalled in mid-answer: raise the idle timeout if its model pauses that long."

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True, before_response=False)


class ResponseBroken(UpstreamError):
    """The answer was malformed, over a limit, refused, reset or closed before its end, or dropped by its own reader."""

    hint = "The upstream, or a proxy before it, closed early or does not speak HTTP/1.1 correctly."

    def __init__(self, message: str, *, before_response: bool) -> None:
        super().__init__(message, sent=True, before_response=before_response)
