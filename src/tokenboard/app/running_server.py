"""The server that runs on a data folder, as commands ask it: over HTTP, at the address it has announced."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ANSWER_TIMEOUT_S = 5
_MAX_ANSWER = 1_000_000
_TASK_TIMEOUT_S = 900
"""How long one month of an audit or a rebuild may take."""

_NO_REASON = "it gave no reason"


class ServerFault(Exception):
    """The server that owns the folder did not do what it was asked."""

    hint = "See the server's log; once it is stopped, the command does the work itself."

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint or self.hint


class ServerBusy(ServerFault):
    """The server takes no more usage at the moment; the same body may be sent again."""


class BodyRefused(ServerFault):
    """The server takes no such body, or not with this key; ``status`` is its answer's, ``error`` what it says."""

    def __init__(self, message: str, status: int, error: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.error = error


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A client of the server that owns a data folder.

    ``url`` is where it can be reached, ``nudge_token`` proves that a request comes from this machine, ``config`` is the
    settings file it was started with.
    """

    pid: int
    url: str
    nudge_token: str
    config: str | None
    supervised: bool = False
    """Whether it is one of a supervisor's processes, and ends when that does."""

    def nudge(self) -> str | None:
        """Make the server read keys and apps again, now; return None once they are in force, else what keeps them."""
        status, body = self._ask("POST", "/internal/nudge", {"x-tokenboard-nudge": self.nudge_token})
        if status == 200:
            return None
        if status == 0:
            return f"{self.url} does not answer; it finds the change by itself within a second"
        return f"{self.url} refuses: {_error(body).get('message', _NO_REASON)}"

    def readiness(self) -> dict[str, Any] | None:
        """Return what ``/readyz`` says, ready or not; None when the server did not answer."""
        _, body = self._ask("GET", "/readyz", {})
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return None
        return answer if isinstance(answer, dict) else None

    def counters(self) -> dict[str, int]:
        """Return what the server has counted since its start, by name.

        Raises:
            ServerFault: it does not answer, or not so.

        """
        status, body = self._ask("GET", "/internal/counters", {"x-tokenboard-nudge": self.nudge_token})
        try:
            counts = json.loads(body) if status == 200 else None
        except (ValueError, RecursionError):
            counts = None
        if not isinstance(counts, dict):
            raise ServerFault(f"{self.url} does not answer")
        return counts

    def run_task(self, task: str) -> Iterator[dict[str, Any]]:
        """Ask for ``audit`` or ``rebuild`` and yield what the server reports of each month, until it is done.

        Raises:
            ServerFault: it does not answer, refuses, fails, or breaks off.

        """
        headers = {"x-tokenboard-nudge": self.nudge_token}
        try:
            with self._open("POST", f"/internal/{task}", headers, _TASK_TIMEOUT_S) as answer:
                for line in answer:
                    report = json.loads(line)
                    if "done" in report:
                        return
                    if "error" in report:
                        raise ServerFault(f"{self.url}: {report['error']}", report.get("hint"))
                    yield report
        except urllib.error.HTTPError as error:
            with error:
                refusal = _error(error.read(_MAX_ANSWER))
                raise ServerFault(f"{self.url} refuses: {refusal.get('message', _NO_REASON)}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ServerFault(f"{self.url} does not answer: {error}") from error
        raise ServerFault(f"{self.url} broke off before it was done")

    def post_usage(self, body: bytes, key: str) -> dict[str, Any]:
        """Send one body of ``POST /usage``, with this key or else as this machine's operator; return its counts.

        Raises:
            ServerBusy: it takes nothing at the moment.
            BodyRefused: it refuses the body, or the key.
            ServerFault: it does not answer.

        """
        path = "/api/v1/usage" if key else "/internal/usage"
        headers = {"authorization": f"Bearer {key}"} if key else {"x-tokenboard-nudge": self.nudge_token}
        try:
            with self._open("POST", path, headers, _TASK_TIMEOUT_S, body) as answer:
                return dict(json.loads(answer.read(_MAX_ANSWER))["data"])
        except urllib.error.HTTPError as error:
            with error:
                refusal = _error(error.read(_MAX_ANSWER))
                message = f"{self.url} refuses: {refusal.get('message', _NO_REASON)}"
                if error.code == 503:
                    raise ServerBusy(message) from error
                raise BodyRefused(message, error.code, refusal) from error
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
            raise ServerFault(f"{self.url} does not answer: {error}") from error

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return status and body; (0, b"") without an answer. The way leads over no proxy: it is our own machine."""
        try:
            with self._open(method, path, headers, _ANSWER_TIMEOUT_S) as response:
                return response.status, response.read(_MAX_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(_MAX_ANSWER)
        except (OSError, ValueError, http.client.HTTPException):
            return 0, b""

    def _open(
        self, method: str, path: str, headers: dict[str, str], timeout_s: float, body: bytes | None = None
    ) -> http.client.HTTPResponse:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"{self.url}{path}", body, headers, method=method)  # noqa: S310 - our own server's URL, from our own file
        answer: http.client.HTTPResponse = opener.open(request, timeout=timeout_s)
        return answer


def _error(body: bytes) -> dict[str, Any]:
    """Return what an answer in the one shape of errors says; nothing when it has another shape."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
