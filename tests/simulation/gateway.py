"""A gateway's durable half: its journal, and how it dies."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tokenboard.event import UsageEvent, encode_event
from tokenboard.journal import JournalWriter
from tokenboard.observability import Counters
from tokenboard.shipping import Shipper

_SEGMENT_BYTES = 1_500
"""Small, so that segments end, are left and are forgotten."""


class LocalGateway:
    """Writes events to a journal; may be killed with a record half written, and is there again at once."""

    def __init__(self, folder: Path, chance: random.Random, clock_ms: Callable[[], int]) -> None:
        self.folder = folder
        self._chance = chance
        self._clock_ms = clock_ms
        self._writer = self._open()
        self._begun()

    def record(self, events: Sequence[UsageEvent]) -> None:
        """Return once all of them are committed: their answers go out."""
        asyncio.run(self._append(events))

    def die(self, last: UsageEvent | None = None) -> None:
        """End as by SIGKILL, if need be in the midst of writing one more event, which nobody was answered."""
        if last is None:
            kept = _files(self.folder)
        else:
            before = _files(self.folder)
            asyncio.run(self._append([last]))
            kept = self._torn(before, _files(self.folder))
        self._writer.close()
        _restore(self.folder, kept)
        self._writer = self._open()
        self._begun()

    def restart(self) -> None:
        """End as by SIGTERM, and begin anew."""
        self._writer.close()
        self._writer = self._open()
        self._begun()

    def close(self) -> None:
        self._writer.close()

    def _begun(self) -> None:
        """A new life of the process has begun."""

    async def _append(self, events: Sequence[UsageEvent]) -> None:
        for each in [self._writer.append(encode_event(event)) for event in events]:
            await each

    def _open(self) -> JournalWriter:
        return JournalWriter(self.folder, fsync=False, clock_ms=self._clock_ms, segment_bytes=_SEGMENT_BYTES)

    def _torn(self, before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, bytes]:
        """Return the files with the last record written up to some byte, and nothing yet of what is told beside it."""
        torn = dict(before)
        for name, body in after.items():
            if not name.endswith(_SEGMENT_SUFFIX):
                continue
            old = before.get(name, b"")
            first = next((at for at, (a, b) in enumerate(zip(old, body, strict=False)) if a != b), len(old))
            cut = self._chance.randint(min(first, len(body)), len(body))
            torn[name] = body[:cut] + old[cut:]
        return torn


class RemoteGateway(LocalGateway):
    """A gateway on another machine: what it records goes to the board by shipments."""

    def _begun(self) -> None:
        self.lives = getattr(self, "lives", 0) + 1
        token = iter(range(10**9))
        self.shipper = Shipper(
            self.folder,
            instance=f"run-{self.lives}",
            counters=Counters(),
            token=lambda: f"{self.lives}-{next(token)}",
        )


_SEGMENT_SUFFIX = ".segment"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _restore(folder: Path, files: dict[str, bytes]) -> None:
    """Make the folder what it was, in the same files: whoever has one open goes on with it."""
    for path in folder.iterdir():
        if path.is_file() and path.name not in files:
            path.unlink()
    for name, body in files.items():
        with (folder / name).open("r+b" if (folder / name).exists() else "w+b") as file:
            file.write(body)
            file.truncate()
