"""A ledger, a catalog and a drain with upkeep on them, as a board has it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tokenboard.app.board import open_upkeep
from tokenboard.app.catalog import open_catalog
from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.stores import open_ledger, open_spool
from tokenboard.config import Settings
from tokenboard.drain import Drain
from tokenboard.event import UsageEvent, encode_parcel
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.rankings import Rankings
from tokenboard.spool import Spool
from tokenboard.upkeep import Upkeep

FLOOR = date(2025, 1, 1)


@dataclass
class Kept:
    """The parts of a board without a server."""

    ledger: Ledger
    spool: Spool
    drain: Drain
    rankings: Rankings
    upkeep: Upkeep
    settings: Settings

    def put(self, *events: UsageEvent) -> None:
        """Bring events into the rankings."""
        names = [f"{event.id}".encode() for event in events]
        self.spool.append_new(lambda _: encode_parcel(events), names).result()
        while self.drain.deliver():
            pass

    def with_retention(self, days: int) -> Upkeep:
        """Return the upkeep of a board that keeps raw events for so many days."""
        ledger = self.settings.ledger.model_copy(update={"raw_retention_days": days})
        return open_upkeep(self.settings.model_copy(update={"ledger": ledger}), self.ledger, self.rankings, self.drain)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    settings = Settings()
    with (
        closing(open_catalog(settings, tmp_path)) as catalog,
        closing(open_ledger(settings, tmp_path)) as ledger,
        closing(open_spool(settings, tmp_path)) as spool,
    ):
        rankings = Rankings(ledger, catalog, floor=FLOOR, clock=lambda: datetime.now(UTC))
        drain = Drain(spool, catalog, ledger, delivered=rankings.refresh, counters=Counters(), clock_ms=wall_clock_ms)
        drain.recover()
        upkeep = open_upkeep(settings, ledger, rankings, drain)
        yield Kept(ledger, spool, drain, rankings, upkeep, settings)
