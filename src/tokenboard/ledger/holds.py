"""Rebuilds under way, noted where every writer sees them: who rebuilds a month holds the others meanwhile.

    note ─▶ a moment, for batches that were about to begin ─▶ nobody inserts any more ─▶ rebuild ─▶ note that it is done

A rebuild sums a month's raw events and puts the sums in the place of the old ones; a batch in between would be lost
from them. Each writer looks before each batch whether somebody holds, on a server; embedded there is but one. A note
that outlives its program is finished by that writer's next start, or after `STALE_S` by anybody's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from tokenboard.ledger.connections import Connections
from tokenboard.ledger.engines import Engines
from tokenboard.ledger.errors import LedgerUnavailable
from tokenboard.ledger.sql import query_text

GRACE_S: Final = 3.0
"""How long a writer may take from looking for holds to its insert being known to the server, in seconds."""

STALE_S: Final = 900
"""After so long without a word a rebuild is taken for abandoned, in seconds; a month takes seconds to minutes."""

_WAIT_S: Final = 300.0
_LOOK_S: Final = 0.25


class OpenRebuild(NamedTuple):
    """A month whose rebuild was begun so often by a writer, the last time ``since_s`` seconds ago, and not finished."""

    month: int
    writer: int
    times: int
    since_s: int


def open_rebuilds(client: Client) -> list[OpenRebuild]:
    """Return the rebuilds that were begun and not finished, by month."""
    return [OpenRebuild(*map(int, row)) for row in client.query(query_text("open_rebuilds")).result_rows]


def refuse_while_held(client: Client, writer: int) -> None:
    """Raise LedgerUnavailable while another writer rebuilds a month."""
    for rebuild in open_rebuilds(client):
        if rebuild.writer != writer:
            raise LedgerUnavailable(
                f"another board is rebuilding {rebuild.month}: batches wait until it is done",
                hint="Nothing is lost meanwhile. If that board is gone, `tokenboard rebuild` on this one finishes it.",
            )


class Holder:
    """Holds the ledger's other writers, as ``writer``, for one month at a time."""

    def __init__(self, connections: Connections, engines: Engines, writer: int, grace_s: float = GRACE_S) -> None:
        self._connections = connections
        self._engines = engines
        self._writer = writer
        self._grace_s = grace_s

    @contextmanager
    def holding(self, month: int) -> Iterator[None]:
        """Note that a month is being rebuilt; within the block nobody else writes. Left by an error it stays noted.

        Raises:
            LedgerUnavailable: another writer holds, or will not end its insert.

        """
        run = self._connections.run
        if not self._connections.embedded:
            run(lambda client: refuse_while_held(client, self._writer))
        self._note(month, 1)
        if not self._connections.embedded:
            # Of two that noted at one time both step back, rather than neither.
            try:
                run(lambda client: refuse_while_held(client, self._writer))
            except LedgerUnavailable:
                self._note(month, -1)
                raise
            time.sleep(self._grace_s)
            self._wait_for(self._nobody_inserts)
        yield
        self.finish(month)

    def finish(self, month: int) -> None:
        """Note that a month is whole again, whoever has begun with it and however often."""
        for rebuild in self._connections.run(open_rebuilds):
            if rebuild.month == month:
                self._note(month, -rebuild.times, rebuild.writer)

    def due(self) -> list[OpenRebuild]:
        """Return the rebuilds that are this writer's to finish: its own, those from before, and abandoned ones."""
        return [
            rebuild
            for rebuild in self._connections.run(open_rebuilds)
            if rebuild.writer in {0, self._writer} or rebuild.since_s > STALE_S
        ]

    def take_over(self, rebuild: OpenRebuild) -> None:
        """Make an abandoned rebuild this writer's own."""
        if rebuild.writer != self._writer:
            self._note(rebuild.month, 1)
            self._note(rebuild.month, -rebuild.times, rebuild.writer)

    def _note(self, month: int, times: int, writer: int | None = None) -> None:
        row = [month, times, self._writer if writer is None else writer]
        names = ["month", "open", "writer"]
        self._connections.run(lambda client: client.insert("rebuilds", [row], column_names=names))

    def _nobody_inserts(self) -> bool:
        text = query_text("attempts", processes=self._engines.names()["processes"])
        asked = {"attempts": "tokenboard-"}
        return not self._connections.run(lambda client: client.query(text, parameters=asked).result_rows)[0][0]

    def _wait_for(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _WAIT_S
        while not done():
            if time.monotonic() > deadline:
                raise LedgerUnavailable("another board's batch does not come to its end, so nothing can be rebuilt")
            time.sleep(_LOOK_S)
