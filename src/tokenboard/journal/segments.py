"""The files of a journal's folder, and the order of its segments."""

import fcntl
import json
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from tokenboard.durability import SpoolDamaged, SpoolUnavailable
from tokenboard.journal.frames import HEADER_SIZE, Header, decode_header

SUFFIX: Final = ".segment"
_IDENTITY: Final = "journal.json"
_FORMAT: Final = 1

DAMAGED_HINT: Final = (
    "Bring back the files of the journal's folder as they were, all of them. If they are lost, `tokenboard stores "
    "accept spool` goes on with what is left."
)


class Chain(NamedTuple):
    """The segments that are in force, oldest first, and the numbers of those that are not.

    One that was begun and could not be used may be left behind: it names the same predecessor as the one that replaced
    it, which is in force.
    """

    headers: list[Header]
    strays: list[int]

    def after(self, number: int) -> Header | None:
        """Return the successor of the segment ``number``; None for the newest."""
        return next((header for header in self.headers if header.previous == number), None)


def damaged(message: str) -> SpoolDamaged:
    """Return the error for a journal that lacks something acknowledged."""
    return SpoolDamaged(message, DAMAGED_HINT)


def witness_of(folder: Path) -> Path:
    """Return the file in which the writer says how far is committed: last record's seq, and size of all bodies."""
    return folder / "witness"


def collected_of(folder: Path) -> Path:
    """Return the file in which the reader says how far the board has collected, as the same two numbers."""
    return folder / "collected"


def segment_of(folder: Path, number: int) -> Path:
    """Return the path of a segment."""
    return folder / f"{number:020d}{SUFFIX}"


def lock_folder(folder: Path) -> int:
    """Return an open file whose lock says that the folder has a writer; closing it lets go.

    Raises OSError, and SpoolUnavailable when another process has it.
    """
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(file, 20).decode("ascii", "replace").strip()
            raise SpoolUnavailable(
                f"the journal {folder} is open in process {owner or '(not known)'}", "End that process first."
            ) from None
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.pwrite(file, b"%-20d\n" % os.getpid(), 0)
    except BaseException:
        os.close(file)
        raise
    return file


def open_identity(folder: Path) -> str:
    """Return the journal's id, a new one where there is no journal yet.

    Raises OSError, and SpoolDamaged when there is one that has lost it.
    """
    journal = read_identity(folder)
    if journal is None:
        if numbers_in(folder) or witness_of(folder).exists():
            raise damaged(f"the journal {folder} has lost its journal.json")
        journal = uuid.uuid4().hex
        write_identity(folder, journal)
        sync_folder(folder.parent)
    return journal


def read_identity(folder: Path) -> str | None:
    """Return the journal's id, None when there is no journal.

    Raises OSError, and SpoolDamaged when it cannot be understood.
    """
    try:
        told = json.loads((folder / _IDENTITY).read_bytes())
        return uuid.UUID(told["id"]).hex
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(f"{folder / _IDENTITY} is damaged: {error}") from error


def write_identity(folder: Path, journal: str) -> None:
    """Write the journal's id, durably. Raises OSError."""
    told = json.dumps({"format": _FORMAT, "id": journal}).encode()
    place = folder / f"{_IDENTITY}.new"
    file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(file, told, 0)
        os.fsync(file)
    finally:
        os.close(file)
    place.rename(folder / _IDENTITY)
    sync_folder(folder)


def numbers_in(folder: Path) -> list[int]:
    """Return the numbers of all segments there are, ascending. Raises OSError."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.endswith(SUFFIX)]
    return sorted(int(stem) for name in names if (stem := name.removesuffix(SUFFIX)).isdecimal())


def read_header(folder: Path, number: int) -> Header | None:
    """Return a segment's header, None when it is damaged. Raises OSError."""
    with segment_of(folder, number).open("rb", buffering=0) as file:
        header = decode_header(file.read(HEADER_SIZE) or b"")
    return header if header is not None and header.number == number else None


def chain(headers: Iterable[Header]) -> Chain:
    """Put segments in order: of those that name the same one before them, the latest is in force."""
    by_previous: dict[int, Header] = {}
    strays: list[int] = []
    for header in sorted(headers, key=lambda each: each.number):
        if (before := by_previous.get(header.previous)) is not None:
            strays.append(before.number)
        by_previous[header.previous] = header
    return Chain(sorted(by_previous.values(), key=lambda each: each.number), strays)


def read_chain(folder: Path, journal: str, known: dict[int, Header] | None = None) -> Chain:
    """Return the segments of a folder; ``known`` keeps their headers from one look to the next.

    Raises OSError, and SpoolDamaged when one has no header, or another journal's.
    """
    known = {} if known is None else known
    numbers = numbers_in(folder)
    for number in known.keys() - set(numbers):
        del known[number]
    for number in numbers:
        if number in known:
            continue
        with suppress(FileNotFoundError):  # deleted since the listing
            header = read_header(folder, number)
            if header is None:
                raise damaged(f"the header of {segment_of(folder, number)} is damaged")
            if header.journal != journal:
                raise damaged(f"{segment_of(folder, number)} belongs to another journal")
            known[number] = header
    return chain(known.values())


def write_all(file: int, data: bytes, at: int) -> None:
    """Write all of ``data`` at ``at``. Raises OSError; what was written by then stays."""
    done = os.pwrite(file, data, at)
    while done < len(data):
        done += os.pwrite(file, data[done:], at + done)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names in it are on disk. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
