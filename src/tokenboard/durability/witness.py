"""A file beside a spool that says what was acknowledged, so that a truncated spool is noticed.

A log is read up to the first incomplete record, as if the rest had never existed. One that was truncated, damaged or
removed therefore looks like an earlier state of the spool: acknowledged usage is missing, and a delivered batch comes
back. The witness says how far the spool had come.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SLOT = 128
"""Bytes of one of two places written in turn, so that a process killed during a write leaves the other intact."""

_TRIES = 3
_FORM = struct.Struct("<32s36s?QQQ")
_SUM = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Testimony:
    """The content of a witness: which spool, how far it had come, and whether a power cut since may have cost records.

    ``extent`` is two numbers of the spool's own that never fall.
    """

    spool: str
    extent: tuple[int, int]
    fsync: bool
    boot: str


class Witness:
    """A file of two slots written in turn; one `write` is one system call, without a sync.

    It survives the end of the process. A power cut may lose its last writes, but not the spool's commits before them if
    each commit is synced: the witness then says less than is there, which is not taken for damage.
    """

    def __init__(self, path: Path, spool: str, *, fsync: bool) -> None:
        """Raises OSError."""
        self._spool = spool.encode()
        self._fsync = fsync
        self._boot = boot_id().encode()
        self._number = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._file).st_size < 2 * _SLOT:
            try:
                os.pwrite(self._file, bytes(2 * _SLOT), 0)
            except OSError:
                os.close(self._file)
                raise
        found = _read(self._file)
        if found is not None:
            self._number = found[0]

    def write(self, first: int, second: int) -> None:
        """Record how far the spool has come.

        Raises OSError; the file then has its previous content, or this.
        """
        self._number += 1
        told = _FORM.pack(self._spool, self._boot, self._fsync, self._number, first, second)
        os.pwrite(self._file, told + _SUM.pack(zlib.crc32(told)), self._number % 2 * _SLOT)

    def sync(self) -> None:
        """Wait until the file is on disk. Raises OSError."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    @classmethod
    def says(cls: type[Self], path: Path) -> Testimony | None:
        """Return the file's content; None when it is missing or unreadable.

        Raises OSError.
        """
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return cls.says_open(file)
        finally:
            os.close(file)

    @staticmethod
    def bytes_of(path: Path) -> bytes:
        """Return the file as it is, which differs after each `write`; empty when there is none. Raises OSError."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(file, 2 * _SLOT, 0)
        finally:
            os.close(file)

    @staticmethod
    def says_open(file: int) -> Testimony | None:
        """Return the content of an open file, as `says`; another process may be writing to it. Raises OSError."""
        for _ in range(_TRIES):
            # A retry is enough: the writer would have to write both slots during every read.
            if (found := _read(file)) is not None:
                return found[1]
        return None


def boot_id() -> str:
    """Return the system's boot id; empty if the system has none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()[:36]
    except (OSError, UnicodeDecodeError):
        return ""


def _read(file: int) -> tuple[int, Testimony] | None:
    """Return the later of the two intact slots, with its number."""
    found: list[tuple[int, Testimony]] = []
    whole = os.pread(file, 2 * _SLOT, 0)
    for at in (0, _SLOT):
        slot = whole[at : at + _FORM.size + _SUM.size]
        if len(slot) < _FORM.size + _SUM.size:
            continue
        told, (total,) = slot[: _FORM.size], _SUM.unpack(slot[_FORM.size :])
        if zlib.crc32(told) != total:
            continue
        spool, boot, fsync, number, first, second = _FORM.unpack(told)
        if number:
            said = Testimony(_text(spool), (first, second), fsync, _text(boot))
            found.append((number, said))
    return max(found, key=lambda each: each[0], default=None)


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode("ascii", "replace")
