"""A journal that refuses new work once too much usage waits in the whole spool folder."""

import os
from pathlib import Path
from typing import Final

from tokenboard.durability import Append, SpoolFault, Witness
from tokenboard.journal.position import Held
from tokenboard.journal.segments import collected_of, witness_of
from tokenboard.journal.writer import JournalWriter

_ELSEWHERE: Final = "held"
_IDENTITY: Final = "journal.json"


def journals_in(folder: Path) -> list[Path]:
    """Return the folders of all journals below a spool's folder, by name."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in names if os.path.exists(os.path.join(folder, name, _IDENTITY))]


def elsewhere_of(folder: Path) -> Path:
    """Return the file, in the folder of all journals, in which the board says how much waits in its own spool."""
    return folder / _ELSEWHERE


class BoundedJournal:
    """One gateway's journal, and whether there is room for more in ``folder``, where all of a board's usage waits.

    The limit of ``max_bytes`` applies to this journal, the others beside it, and the board's spool together.
    `refresh` reads the files of the others, and blocks; everything else answers from memory.
    """

    def __init__(self, journal: JournalWriter, path: Path, *, max_bytes: int) -> None:
        self._journal = journal
        self._path = path
        self._max_bytes = max_bytes
        self._elsewhere = 0

    @property
    def id(self) -> str:
        """The journal's id."""
        return self._journal.id

    @property
    def sound(self) -> bool:
        """Whether it can be written, as far as the last attempts tell."""
        return self._journal.sound

    def fault(self) -> SpoolFault | None:
        """Return why it cannot be written, None as long as it can."""
        return self._journal.fault()

    def has_room(self) -> bool:
        """Whether new work may be taken; ask before starting anything whose usage must be recorded."""
        return self._journal.held().bytes + self._elsewhere < self._max_bytes

    def append(self, body: bytes) -> Append:
        """Queue one event; see `JournalWriter.append`."""
        return self._journal.append(body)

    def committed(self) -> Held:
        """Return all events and bytes that were ever committed to it."""
        return self._journal.committed()

    def refresh(self) -> None:
        """Read again how much of it was collected, and how much waits elsewhere. Raises OSError."""
        self._journal.refresh()
        folder = self._path.parent
        size = 0
        board = Witness.says(elsewhere_of(folder))
        if board is not None:
            size += board.extent[1]
        for path in journals_in(folder):
            if path == self._path:
                continue
            committed, collected = Witness.says(witness_of(path)), Witness.says(collected_of(path))
            if committed is not None:
                size += max(committed.extent[1] - (0 if collected is None else collected.extent[1]), 0)
        self._elsewhere = size

    def close(self) -> None:
        """Commit what is waiting and close the journal."""
        self._journal.close()
