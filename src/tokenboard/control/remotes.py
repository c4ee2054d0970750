"""The board's side of gateways on other machines: the snapshot by long poll, and who ships which journal."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Condition
from typing import Final

import msgspec

from tokenboard.control.snapshot import Snapshot, encode_snapshot, tag_of
from tokenboard.observability import BoundedLog, logger

MAX_WAIT_S: Final = 60.0
"""How long a gateway may ask to wait for news, in seconds."""

LEASE_S: Final = 2.0
"""How long a journal stays with a run of its gateway that has no question open, in seconds: it asks anew at once."""

MAX_GATEWAYS: Final = 10_000
"""Gateways remembered at most; those heard of longest ago go first."""

_CONFIRM_WITHIN_S: Final = 1.0
_LONGEST: Final = 100
_MOST_COUNTERS: Final = 1_000
_log = BoundedLog(logger("control"))


class ReportError(Exception):
    """What a gateway says of itself cannot be understood."""


class Report(msgspec.Struct, frozen=True):
    """What a gateway says of itself whenever it asks for news.

    ``journal`` is its journal's id, ``instance`` names its run. ``tag`` is that of the snapshot it goes by, empty
    without one; ``wait_s`` for how long it waits for another. ``events`` and ``bytes`` are what no board has yet.
    ``unready`` says why it takes no inference. ``counters`` are its own, since it started.
    """

    journal: str
    instance: str
    name: str
    version: str
    tag: str = ""
    wait_s: float = 0.0
    events: int = 0
    bytes: int = 0
    unready: str = ""
    counters: dict[str, int] = {}


class RemoteGateway(msgspec.Struct, frozen=True):
    """One gateway on another machine, as an operator sees it; times are UTC epoch ms."""

    name: str
    key: str
    address: str
    journal: str
    version: str
    connected: bool
    heard_ms: int
    waiting: int
    up_to_date: bool
    unready: str


@dataclass(slots=True)
class _Known:
    report: Report
    key: str
    address: str
    heard_ms: int
    heard_s: float
    waiting: int = 0
    """Events that it has not shipped, as it said last."""
    open: int = 0
    """How many of its questions wait for news."""
    waiters: list[asyncio.Event] = field(default_factory=list)


_report = msgspec.json.Decoder(Report)


def decode_report(data: bytes) -> Report:
    """Return what a gateway says of itself.

    Raises:
        ReportError: it cannot be understood.

    """
    try:
        report = _report.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ReportError(str(error)[:200]) from error
    texts = (report.journal, report.instance, report.name, report.version, report.tag)
    if not report.journal or not report.instance or max(map(len, texts)) > _LONGEST:
        raise ReportError(f"journal, instance, name, version and tag are at most {_LONGEST} characters long")
    if len(report.counters) > _MOST_COUNTERS or any(len(name) > _LONGEST for name in report.counters):
        raise ReportError(f"at most {_MOST_COUNTERS:,} counters are taken, with names of {_LONGEST} characters")
    return report


class Remotes:
    """Who ships which journal, and which snapshot each goes by.

    `hear` and `news` are for one event loop, all else for any thread.

    A journal belongs to one run of its gateway at a time: the one whose question is open, or was `LEASE_S` ago. Another
    one that names it is a copy of that gateway's folder, or the same gateway begun anew before its end was noticed.
    ``clock_ms`` tells UTC epoch ms, ``elapsed_s`` monotonic seconds.
    """

    def __init__(self, clock_ms: Callable[[], int], elapsed_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_ms = clock_ms
        self._elapsed_s = elapsed_s
        self._turn = Condition()
        self._known: dict[str, _Known] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tag = ""
        self._snapshot = b""
        self._told: list[str] = []

    def announce(self, snapshot: Snapshot) -> None:
        """Let every gateway that waits for news have this snapshot; one that is away finds it when it asks again."""
        encoded, tag = encode_snapshot(snapshot), tag_of(snapshot)
        with self._turn:
            self._snapshot, self._tag = encoded, tag
            self._told = [journal for journal, known in self._known.items() if known.open]
            waiters = [waiter for journal in self._told for waiter in self._known[journal].waiters]
            loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                for waiter in waiters:
                    loop.call_soon_threadsafe(waiter.set)

    def confirm(self) -> None:
        """Wait until those that got the last snapshot at once go by it, a second at most."""
        with self._turn:
            tag, told = self._tag, self._told

            def confirmed() -> bool:
                found = (self._known.get(journal) for journal in told)
                return self._tag != tag or all(each is None or each.report.tag == tag for each in found)

            if not self._turn.wait_for(confirmed, _CONFIRM_WITHIN_S):
                facts = {"hint": "They have it as soon as they ask again; docs/remote-gateways.md tells how long."}
                _log.warning("remote", "a gateway on another machine did not confirm a change of keys in time", facts)

    def hear(self, report: Report, key: str, address: str) -> str | None:
        """Note what a gateway says; return None, or who else ships its journal at present."""
        with self._turn:
            self._loop = asyncio.get_running_loop()
            if (other := self._other(report.journal, report.instance)) is not None:
                return other
            known = self._known.pop(report.journal, None)
            if known is None or known.report.instance != report.instance:
                known = _Known(report, key, address, 0, 0.0)
                while len(self._known) >= MAX_GATEWAYS:
                    del self._known[next(iter(self._known))]
            known.report, known.key, known.address = report, key, address
            known.heard_ms, known.heard_s = self._clock_ms(), self._elapsed_s()
            known.waiting = report.events
            self._known[report.journal] = known  # the latest last
            self._turn.notify_all()
        return None

    def held(self, journal: str, instance: str) -> str | None:
        """Return who else ships a journal at present, None when this run of a gateway may."""
        with self._turn:
            return self._other(journal, instance)

    def shipped(self, journal: str, waiting: int) -> None:
        """Note that a shipment was taken, behind which so many events of the journal wait."""
        with self._turn:
            if (known := self._known.get(journal)) is not None:
                known.heard_ms, known.waiting = self._clock_ms(), waiting

    async def news(self, report: Report) -> bytes | None:
        """Wait for a snapshot other than the one of the report; None when there is none in the time it names."""
        with self._asking(report) as changed:
            try:
                async with asyncio.timeout(min(max(report.wait_s, 0.0), MAX_WAIT_S)):
                    while not self._snapshot or self._tag == report.tag:
                        changed.clear()
                        await changed.wait()
            except TimeoutError:
                return None
            return self._snapshot

    def gateways(self) -> list[RemoteGateway]:
        """Return all that are known, by name."""
        with self._turn:
            found = [
                RemoteGateway(
                    name=known.report.name,
                    key=known.key,
                    address=known.address,
                    journal=journal,
                    version=known.report.version,
                    connected=self._is_there(known),
                    heard_ms=known.heard_ms,
                    waiting=known.waiting,
                    up_to_date=known.report.tag == self._tag,
                    unready=known.report.unready,
                )
                for journal, known in self._known.items()
            ]
        return sorted(found, key=lambda each: (each.name, each.key, each.journal))

    def counters(self) -> list[dict[str, int]]:
        """Return what each has counted, as it said last."""
        with self._turn:
            return [known.report.counters for known in self._known.values()]

    # --- within, with the turn -------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self, report: Report) -> Iterator[asyncio.Event]:
        changed = asyncio.Event()
        with self._turn:
            known = self._known[report.journal]
            known.open += 1
            known.waiters.append(changed)
        try:
            yield changed
        finally:
            with self._turn:
                known.open -= 1
                known.waiters.remove(changed)
                known.heard_s = self._elapsed_s()

    def _other(self, journal: str, instance: str) -> str | None:
        known = self._known.get(journal)
        if known is None or known.report.instance == instance or not self._is_there(known):
            return None
        return f"The other one is {known.report.name!r} at {known.address}, with the key {known.key!r}."

    def _is_there(self, known: _Known) -> bool:
        return known.open > 0 or self._elapsed_s() - known.heard_s < LEASE_S
