"""A board's durable half: collector, spool and drain, in steps; it may die in any of them."""

import random
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

from tests.simulation.fuse import Crash, Fragile, FragileCommitter, Fuse
from tests.simulation.ledger import Cube, Ledger
from tokenboard.catalog import CatalogUnavailable, Observation, Observed
from tokenboard.collector import Collector, Shipments
from tokenboard.drain import Drain
from tokenboard.event import UsageEvent, encode_parcel
from tokenboard.journal import JournalReader
from tokenboard.ledger import LedgerUnavailable
from tokenboard.observability import Counters
from tokenboard.shipping import Answer, Ask, Send, decode_shipment
from tokenboard.spool import Spool

_OF_SPOOL = ("append_new", "collect", "fix", "ack", "peek", "fixed")
_OF_READER = ("read", "forget")


class Apps:
    """A model of the catalog: an app has one id, whoever asks, and however often."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        self.ids: dict[str, int] = {}
        self.away = False

    def observe(self, observations: Sequence[Observation]) -> list[Observed]:
        if self.away:
            raise CatalogUnavailable("it is away")
        self._fuse.burn("before observe")
        seen = [Observed(self.ids.setdefault(each.identity.url, len(self.ids) + 1), None) for each in observations]
        self._fuse.burn("after observe")
        return seen


class Clock:
    """What the machine's clock says, which may be set, and the time that passes, which may not."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.elapsed = 0.0

    def ms(self) -> int:
        return self.now_ms

    def elapsed_s(self) -> float:
        return self.elapsed

    def pass_ms(self, ms: int) -> None:
        self.now_ms += ms
        self.elapsed += ms / 1000


class Board:
    """Collects ``journals`` and delivers to the ledger; `step` does one thing, and may end in its death."""

    def __init__(self, folder: Path, journals: Path, chance: random.Random, clock: Clock) -> None:
        self._folder = folder
        self._journals = journals
        self._chance = chance
        self._clock = clock
        self._lives = 0
        self.fuse = Fuse()
        self.ledger = Ledger(chance, self.fuse)
        self.apps = Apps(self.fuse)
        self.cube = Cube(self.ledger)
        self.counters = Counters()
        self.deaths: dict[str, int] = {}
        self._drain: Drain
        self._recovered = False
        self._open(None)

    def collect(self) -> None:
        """Take what journals hold."""
        self._living(self._collector.collect)

    def deliver(self) -> None:
        """Deliver one batch, or fail."""
        self._living(self._deliver)

    def take(self, events: Sequence[UsageEvent]) -> bool:
        """Take events of POST /usage; False when it died before it could answer."""

        def commit() -> None:
            ids = [each.id.encode() for each in events]
            answer: Future[Any] = self._spool.append_new(
                lambda fresh: encode_parcel(tuple(events[at] for at in fresh)), ids
            )
            answer.result()
            self.fuse.burn("before the answer")

        return self._living(commit)

    def receive(self, message: Ask | Send) -> Answer | None:
        """Answer a gateway on another machine; None when it died before its answer was out."""
        answers: list[Answer] = []

        def answer() -> None:
            if isinstance(message, Ask):
                answers.append(self._shipments.look(message.journal))
            else:
                answers.append(self._shipments.take(decode_shipment(message.body), "remote"))
            self.fuse.burn("before the answer to a shipment")

        return answers[0] if self._living(answer) else None

    def die(self) -> None:
        """End as by SIGKILL between two steps, and begin anew."""
        self.fuse.put_out()
        old, self._lives = self._spool, self._lives + 1
        self._open(self._place(self._lives - 1))
        old.close()
        shutil.rmtree(self._place(self._lives - 1))

    def restart(self) -> None:
        """End as by SIGTERM, and begin anew."""
        self._spool.close()
        self._open(None)

    def pending(self) -> int:
        return self._spool.state().pending + self._collector.look().events

    def dead_letters(self) -> int:
        return self._spool.state().dead_letters

    def close(self) -> None:
        self._spool.close()

    def _deliver(self) -> None:
        try:
            if not self._recovered:
                self._drain.recover()
                self.cube.refresh()
                self._recovered = True
            self._drain.deliver()
        except (LedgerUnavailable, CatalogUnavailable):
            """It goes on with the next step, as its thread does after a rest."""

    def _living(self, step: Callable[[], object]) -> bool:
        if self._chance.random() < 0.35:
            self.fuse.light(self._chance.randint(1, 14))
        try:
            step()
        except Crash as death:
            self.deaths[str(death)] = self.deaths.get(str(death), 0) + 1
            self.die()
            return False
        finally:
            self.fuse.put_out()
        return True

    def _place(self, life: int) -> Path:
        return self._folder / f"life-{life}"

    def _open(self, left: Path | None) -> None:
        place = self._place(self._lives)
        if left is not None:
            shutil.copytree(left, place)  # what a process leaves that did not end, before any part of it does
        self._spool = Spool(
            place, "board", max_bytes=10**9, fsync=False, clock_ms=self._clock.ms, elapsed_s=self._clock.elapsed_s
        )
        self._spool._committer = cast(Any, FragileCommitter(self._spool._committer, self.fuse))
        fragile = cast(Spool, Fragile(self._spool, self.fuse, _OF_SPOOL))
        self._shipments = Shipments(fragile, self.counters)
        self._collector = Collector(fragile, self._journals, counters=self.counters)
        self._collector._reader = self._reader  # type: ignore[method-assign]
        self._readers: dict[Path, JournalReader] = {}
        self.cube = Cube(self.ledger)
        self._recovered = False
        self._drain = Drain(
            fragile,
            cast(Any, self.apps),
            cast(Any, self.ledger),
            delivered=self._delivered,
            counters=self.counters,
            clock_ms=self._clock.ms,
        )

    def _reader(self, path: Path) -> JournalReader:
        if path not in self._readers:
            self._readers[path] = cast(JournalReader, Fragile(JournalReader(path), self.fuse, _OF_READER))
        return self._readers[path]

    def _delivered(self) -> None:
        self.fuse.burn("before the cube")
        self.cube.refresh()
        self.fuse.burn("after the cube")
