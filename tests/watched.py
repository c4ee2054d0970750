"""``tokenboard``, which tells of every call on its event loop that may wait: for a store, a thread, a file.

Not the parts are watched but what they end in: SQLite's connections and cursors, waiting for another thread (as on the
ledger's and the committer's), opening files, sleeping. So it sees a store that is added tomorrow, too. From the moment
the server takes requests, each such place is told once on standard error, with who called it.
"""

import asyncio
import linecache
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

TOLD = "may wait on the event loop"
_FILES = frozenset({"open", "os.listdir", "os.scandir", "os.rename", "os.remove", "subprocess.Popen"})
_armed = False
_told: set[str] = set()


def arm() -> None:
    """Tell from now on."""
    global _armed  # noqa: PLW0603 - one process, one watch
    _armed = True


def install() -> None:
    """Watch everything that this process does from now on."""
    for module in (sqlite3, sqlite3.dbapi2):
        setattr(module, "connect", _watched_connect)  # noqa: B010 - mypy knows better what the real one takes
    threading.Condition.wait = _told_first("waiting for a thread", threading.Condition.wait)  # type: ignore[method-assign]
    time.sleep = _told_first("sleeping", time.sleep)
    sys.addaudithook(_audit)


def _look(what: str) -> None:
    if not _armed or asyncio._get_running_loop() is None:
        return
    stack: list[tuple[str, str, int]] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and len(stack) < 40:
        stack.append((frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno))
        frame = frame.f_back
    if any(file == threading.__file__ and name == "start" for file, name, _ in stack):
        return  # a thread that begins is waited for, for as long as it takes to begin
    if any(file == linecache.__file__ for file, _, _ in stack):
        return  # FastAPI looks once where each route is written, to name it in its messages
    told = "".join(f"  {file}:{line} {name}\n" for file, name, line in stack[:14])
    if told not in _told:
        _told.add(told)
        sys.stderr.write(f"{what} {TOLD}:\n{told}\n")
        sys.stderr.flush()


def _told_first(what: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def watched(*given: Any, **named: Any) -> Any:
        if 0 not in (*given[1:2], named.get("timeout")):  # whoever waits for no time looks only
            _look(what)
        return call(*given, **named)

    return watched


def _audit(event: str, _: tuple[Any, ...]) -> None:
    if event in _FILES:
        _look(f"a file ({event})")


class _Cursor(sqlite3.Cursor):
    pass


class _Connection(sqlite3.Connection):
    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)


for _kind, _names in (
    (_Cursor, ("execute", "executemany", "executescript", "fetchone", "fetchmany", "fetchall")),
    (_Connection, ("execute", "executemany", "executescript", "commit", "rollback")),
):
    for _name in _names:
        setattr(_kind, _name, _told_first("SQLite", getattr(_kind, _name)))

_connect: Any = sqlite3.connect


def _watched_connect(*given: Any, **named: Any) -> Any:
    _look("SQLite")
    return _connect(*given, **{"factory": _Connection, **named})


if __name__ == "__main__":
    install()

    from tokenboard.app.folder import DataFolder
    from tokenboard.cli import main

    _announce = DataFolder.announce

    def _announce_and_arm(*given: Any) -> None:
        _announce(*given)
        arm()

    DataFolder.announce = _announce_and_arm  # type: ignore[method-assign, assignment]
    main()
