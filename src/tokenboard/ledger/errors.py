"""The ledger's errors, one small tree; what an engine complains of in words for an operator."""

import re
from types import MappingProxyType
from typing import Final

_NOTHING_LOST: Final = "nothing is lost meanwhile, the spool keeps it"
_FALLBACK: Final = f"Check [ledger] dsn, free disk space and the engine's own message; {_NOTHING_LOST}."
_RIGHTS: Final = "docs/clickhouse.md lists the rights as GRANT statements"
_KEEPER: Final = f"Look at Keeper and at the other replicas: `tokenboard doctor` names them; {_NOTHING_LOST}."
_WHO: Final = "Check user and password in [ledger] dsn, password_env or password_file."
_CLUSTER: Final = "Name one of the server's clusters in [ledger] cluster: SELECT DISTINCT cluster FROM system.clusters."
_SLOW: Final = (
    f"The server is slow or overloaded; it is asked again. Larger limits: [ledger] timeout_s; {_NOTHING_LOST}."
)

_HINTS: Final = MappingProxyType(
    {
        81: "Make the database: CREATE DATABASE, or name another at the end of [ledger] dsn.",
        516: _WHO,
        192: _WHO,
        193: _WHO,
        194: _WHO,
        497: f"Give the user the right that the message names; {_RIGHTS}.",
        164: f"The user may only read, or may change no settings. Use another one; {_RIGHTS}.",
        242: f"The table takes no writes, as its replica has lost Keeper. {_KEEPER}",
        999: _KEEPER,
        225: f"The servers have no Keeper, which replicated tables need. {_KEEPER}",
        285: _KEEPER,
        286: _KEEPER,
        319: _KEEPER,
        241: f"Give the server more memory, or the user a larger max_memory_usage; {_NOTHING_LOST}.",
        252: f"Merges are behind: it is tried again, ever less often. See system.merges and the disk; {_NOTHING_LOST}.",
        243: f"Make room on the server's disk; {_NOTHING_LOST}.",
        202: _SLOW,
        159: _SLOW,
        209: _SLOW,
        701: _CLUSTER,
        170: _CLUSTER,
        62: "The server does not understand it: `tokenboard doctor` says which version it has and which is needed.",
        115: "The server does not know a setting: `tokenboard doctor` says which version it has and which is needed.",
    }
)
"""What to do about an engine's error, by its code (ClickHouse, src/Common/ErrorCodes.cpp)."""

_CODE = re.compile(r"\b(?:Code:|code:)\s*(\d+)")
_CAUSE = re.compile(r"Max retries exceeded .*\(Caused by .*: ([^:]+?)[\"']?\)\)")
_AWAY = re.compile(
    r"refused|timed out|timeout|resolve|unreachable|reset by peer|aborted|broken|Max retries", re.IGNORECASE
)


class LedgerError(Exception):
    """Base of the ledger's errors; ``hint`` says how the operator can fix it."""

    hint = "See the log of the server for the cause."


class LedgerUnavailable(LedgerError):
    """The engine did not take a statement; what was being written is still in the spool and will be retried.

    ``within_s`` is how many seconds were waited in vain, None when it failed at once; ``code`` the engine's own number
    for what is wrong, None when it did not get so far.
    """

    store = "ledger"
    hint = _FALLBACK

    def __init__(self, message: str, *, within_s: float | None = None, code: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.within_s = within_s
        self.code = code
        if hint:
            self.hint = hint


class LedgerOutdated(LedgerError):
    """The ledger's schema is older than this program, or newer."""

    hint = "Run `tokenboard migrate`; if the schema is newer, upgrade tokenboard."


class LedgerMisplaced(LedgerError):
    """[ledger] names no ClickHouse that there could be; the message never holds a password."""

    hint = "Write [ledger] dsn as clickhouse://USER@HOST:8123/DATABASE; docs/clickhouse.md lists what may follow."


class TwoWriters(LedgerError):
    """Somebody else writes to the ledger as this board: its data folder was copied, and both run."""

    hint = "End one of the two. A second board needs a data folder of its own, made by its first start."


def unavailable(error: BaseException) -> LedgerUnavailable:
    """Return an engine's or a driver's complaint as one of ours: its first line, and what to do about it."""
    message = str(error).strip().split("\n", 1)[0]
    # What the driver tells of a failed connection is mostly the settings that it was to send.
    caused = _CAUSE.search(message)
    message = (caused[1] if caused else message)[:500]
    code = getattr(error, "code", None)
    if code is None and (found := _CODE.search(message)):
        code = int(found[1])
    hint = _HINTS.get(code, "") if isinstance(code, int) else ""
    if not hint and (isinstance(error, OSError) or _AWAY.search(message)):
        hint = f"Start the server, or check host and port in [ledger] dsn and the network between; {_NOTHING_LOST}."
    return LedgerUnavailable(f"the ledger did not answer: {message}", code=code, hint=hint)
