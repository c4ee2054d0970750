"""A ledger, a catalog, rankings, analytics and the API, wired as a board does it, without processes or a drain."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.events import event
from tests.followed import follow
from tests.rows import arrange_rows
from tokenboard.analytics import Analytics
from tokenboard.api import DataSettings, Services, create_api
from tokenboard.attribution import AppIdentity, AttributionOptions
from tokenboard.auth import Auth
from tokenboard.catalog import Catalog, Observation
from tokenboard.event import UsageEvent
from tokenboard.ledger import ROLLUPS, BatchId, Ledger
from tokenboard.observability import Counters
from tokenboard.rankings import Rankings
from tokenboard.rate_limits import Counts, RateLimits

FLOOR = date(2026, 1, 1)
TODAY = date(2026, 4, 15)
WRITER = 7


@dataclass(frozen=True)
class Use:
    """One request of an app (``url`` None: unattributed) on a day, at an hour."""

    url: str | None = "https://cline.bot"
    day: date = TODAY - timedelta(days=1)
    hour: int = 12
    model: str = "openai/gpt-4o"
    prompt: int = 10
    completion: int = 5
    cached: int = 0
    reasoning: int = 0
    cost: Decimal = Decimal(0)
    failed: bool = False
    title: str | None = None
    categories: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        return self.prompt + self.completion

    @property
    def ts_ms(self) -> int:
        return int(datetime(self.day.year, self.day.month, self.day.day, self.hour, tzinfo=UTC).timestamp() * 1000)


@dataclass
class Rig:
    """``use`` stores usage as the drain does: apps named first, then the ledger, then the rankings."""

    ledger: Ledger
    catalog: Catalog
    now: datetime = datetime(TODAY.year, TODAY.month, TODAY.day, 9, tzinfo=UTC)
    per_minute: int = 0
    per_day: int = 0
    cors: str | None = None
    ids: dict[str, int] = field(default_factory=dict)
    client: Any = None
    _numbers: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.followed = follow(self.catalog)
        self.key = self.catalog.create_key("test", ["data"]).secret
        self.restart()

    def restart(self) -> None:
        """Begin anew on the same stores, as a process does."""
        self.rankings = Rankings(self.ledger, self.catalog, floor=FLOOR, clock=lambda: self.now)
        self.rankings.refresh()
        self.followed["apps"] = self.rankings.catch_up
        self.analytics = Analytics(
            self.rankings, self.catalog, self.ledger.analyst, floor=FLOOR, clock=lambda: self.now
        )
        self.close()
        self.client = TestClient(self.api(), headers={"Authorization": f"Bearer {self.key}"})
        self.client.__enter__()  # one event loop for all requests, not one each

    def close(self) -> None:
        """End the API; the stores are others'."""
        if self.client is not None:
            self.client.__exit__(None, None, None)
            self.client = None

    def api(self) -> FastAPI:
        """Make the API; of the parts that the data's routes do not touch there are none."""
        nothing: Any = None
        counts = Counts(None, self.clock_ms)
        auth = Auth(self.catalog)
        self.followed["keys of the API"] = auth.refresh
        return create_api(
            Services(
                auth=auth,
                catalog=self.catalog,
                spool=nothing,
                gateways=nothing,
                collector=nothing,
                remotes=nothing,
                shipments=nothing,
                ingest=nothing,
                ledger=self.ledger,
                rankings=self.rankings,
                analytics=self.analytics,
                rate_limits=RateLimits(counts, per_minute=self.per_minute, per_day=self.per_day),
                upkeep=nothing,
                counters=Counters(),
                drain_state=nothing,
                options=AttributionOptions(),
                data=DataSettings(floor=FLOOR, cors_origin=self.cors),
                clock_ms=self.clock_ms,
                catch_up=nothing,
                following=nothing,
                nudge_token="",
            )
        )

    def clock_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of an answer that must be 200."""
        answer = self.client.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def use(self, *uses: Use) -> None:
        app_ids = [self.observe(use) for use in uses]
        events = [self._event(use) for use in uses]
        rows = arrange_rows(events, app_ids, [None] * len(events))
        self.ledger.insert(self.next_batch(), rows)
        self.rankings.refresh()

    def next_batch(self) -> BatchId:
        """Return a number for a batch: the ledger is shared by tests, each with a rig of its own."""
        return BatchId(WRITER, self.ledger.last_batch(WRITER) + 1)

    def observe(self, use: Use) -> int:
        if use.url is None:
            return 0
        seen = Observation(AppIdentity.of(use.url, use.title), use.title, use.categories, use.ts_ms, use.ts_ms, 1)
        (answer,) = self.catalog.observe([seen])
        self.ids[use.url] = answer.app_id
        return answer.app_id

    def _event(self, use: Use) -> UsageEvent:
        return event(
            id=f"e-{next(self._numbers)}",
            ts_ms=use.ts_ms,
            app_key=use.url,
            model=use.model,
            failed=use.failed,
            prompt_tokens=use.prompt,
            completion_tokens=use.completion,
            cached_tokens=use.cached,
            reasoning_tokens=use.reasoning,
            cost=use.cost,
        )


def empty(ledger: Ledger) -> None:
    """Forget all usage."""
    tables = ("usage", "day_changes", *ROLLUPS)
    ledger._connections.run(lambda client: [client.command(f"TRUNCATE TABLE {table}") for table in tables])


@cache
def blank_catalog() -> bytes:
    """Return the file of a catalog without anything in it: migrating one takes longer than most tests."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.sqlite"
        catalog = Catalog.open(f"sqlite:///{file}")
        catalog.migrate()
        catalog.close()
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return file.read_bytes()


def open_catalog(folder: Path) -> Catalog:
    file = folder / "catalog.sqlite"
    file.write_bytes(blank_catalog())
    return Catalog.open(f"sqlite:///{file}", new_app_limit=0)


def days_before(days: int) -> date:
    return TODAY - timedelta(days=days)


def total(uses: Iterable[Use]) -> int:
    return sum(use.tokens for use in uses)
