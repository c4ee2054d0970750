"""What SQLite's errors mean for the spool: whose fault they are, and how they are mended."""

import errno
import sqlite3
from typing import Final

from tokenboard.durability.health import DISK_FAILS, GOES_ON, NO_ROOM, NOT_REACHABLE, NOT_WRITABLE

_DAMAGED: Final = "The spool's file is damaged: stop the board, keep a copy of the spool's folder, and mend the disk."
_HINTS: Final = {
    sqlite3.SQLITE_FULL: NO_ROOM,
    sqlite3.SQLITE_READONLY: NOT_WRITABLE,
    sqlite3.SQLITE_PERM: NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: NOT_REACHABLE,
    sqlite3.SQLITE_IOERR: DISK_FAILS,
    sqlite3.SQLITE_BUSY: f"Another program holds the spool's file: end it; {GOES_ON}.",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_OF_THE_WRITE: Final = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
)


def is_of_the_file(error: Exception) -> bool:
    """Tell whether an error is the file's or the disk's, so that it will befall other statements too."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, _OF_THE_WRITE)


def hint_for(error: Exception) -> str | None:
    """Return how to mend what SQLite reports; None when that cannot be told."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, OSError):
        code = sqlite3.SQLITE_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else sqlite3.SQLITE_IOERR
    return None if code is None else _HINTS.get(code & 0xFF)  # the rest of a code says where it happened
