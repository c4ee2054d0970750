"""How the HTTP server of every process is set up."""

import contextlib
import resource
import sys

from tokenboard.config import Settings
from tokenboard.observability import logger
from tokenboard.problem import Problem, dialect_of
from tokenboard.server import Limits

_OTHER_FILES = 256
"""Open files beside sockets: databases, logs, the ledger's parts."""

_AFTER_THE_GATEWAY_S = 5.0
_SWITCH_S = 0.0005
"""How long another thread may keep the interpreter from the event loop, in seconds: an answer may be as much late
each time the drain computes, or a page, and Python's own 0.005 is too much."""

_log = logger("serve")


def limits_of(settings: Settings) -> Limits:
    """Return the limits of the HTTP server."""
    given = settings.server
    return Limits(
        max_connections=given.max_connections,
        max_header_bytes=given.max_header_bytes,
        max_headers=given.max_headers,
        header_timeout_s=given.header_timeout_s,
        body_timeout_s=given.body_timeout_s,
        keep_alive_s=given.keep_alive_s,
        # The gateway's own timeout for a stalled client must fire first: it records the usage.
        write_timeout_s=settings.gateway.send_timeout_s + _AFTER_THE_GATEWAY_S,
    )


def render_problem(status: int, message: str, path: str | None) -> tuple[bytes, bytes]:
    """Render the HTTP server's own errors in the shape of all others."""
    return b"application/json", Problem(status, message).body(dialect_of(path or ""))


def let_the_loop_go_first() -> None:
    """Shorten the GIL's switch interval, so that other threads do not delay the event loop."""
    sys.setswitchinterval(_SWITCH_S)


def allow_open_files(wanted: int) -> None:
    """Raise this process's limit of open files, as far as it may, for that many sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted += _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    if soft < wanted:
        facts = {"open_files": soft, "wanted": wanted, "hint": "Raise it (ulimit -n), or lower max_connections."}
        _log.warning("the limit of open files is below that of connections", extra=facts)
