"""The board: everything behind the journals, wired together."""

import asyncio
import enum
import secrets
import uuid
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Final

from tokenboard.analytics import Analytics
from tokenboard.api import DataSettings, GatewaysView, Services, TryPage, create_api, describe
from tokenboard.app.asgi import Application
from tokenboard.app.catalog import open_followed
from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.folder import DEMO_MARK
from tokenboard.app.places import snapshot_of
from tokenboard.app.shared import open_shared
from tokenboard.app.stores import open_stores
from tokenboard.app.upstreams import attribution_options
from tokenboard.auth import Auth, Sessions
from tokenboard.collector import Collector, Shipments
from tokenboard.config import Settings
from tokenboard.control import SNAPSHOT, Publisher, Remotes
from tokenboard.drain import Drain
from tokenboard.election import Election
from tokenboard.follower import Follower
from tokenboard.ingest import Ingest
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.rankings import LedgerFollower, Rankings
from tokenboard.rate_limits import Counts, RateLimiter, RateLimits
from tokenboard.upkeep import Upkeep
from tokenboard.web import DEMO_NOTICE, PagesVisibility, Site, WebServices, create_web, own_address
from tokenboard.web.charts import Renderer
from tokenboard.web.session_stores import LocalSessions, SessionStore


def open_upkeep(settings: Settings, ledger: Ledger, rankings: Rankings, drain: Drain) -> Upkeep:
    """Return the upkeep of a board's figures."""
    return Upkeep(
        ledger,
        rankings,
        writer=drain.writer,
        paused=drain.paused,
        floor=settings.attribution.floor,
        raw_retention_days=settings.ledger.raw_retention_days,
        clock_ms=wall_clock_ms,
    )


def open_rate_limits(settings: Settings, data: Path) -> RateLimits:
    """Return the rate limits of the Data API, with the counts that the data folder holds."""
    given = settings.data_api
    return RateLimits(
        Counts(data / "limits.sqlite", wall_clock_ms),
        per_minute=given.requests_per_minute,
        per_day=given.requests_per_day,
    )


RETENTION: Final = "retention"
"""The duty of dropping raw events past their time."""

DUTIES: Final = (RETENTION,)
"""What one of several boards is to do."""


class Ending(enum.Enum):
    """How a board ended.

    DELIVERED: the ledger has everything. WAITING: events wait in a sound spool for the next start. AT_FAULT: the spool
    could not be written or read, so that it is unknown whether the next start will find them.
    """

    DELIVERED = enum.auto()
    WAITING = enum.auto()
    AT_FAULT = enum.auto()


class Board:
    """The stores of one data folder, which this process owns, what fills them, and what answers from them.

    ``start`` begins to collect and to deliver what gateways have recorded, and to follow the catalog; ``asgi`` answers
    HTTP; ``stop`` delivers what is left and closes every store. ``gateways`` are those of the folder; ``run`` names
    this run of the program. ``ledger`` may be given by a test that wants it to fail.
    """

    def __init__(
        self,
        settings: Settings,
        data: Path,
        *,
        base_url: str,
        gateways: GatewaysView,
        run: str,
        ledger: Ledger | None = None,
    ) -> None:
        self._gateways = gateways
        options = attribution_options(settings)
        floor = settings.attribution.floor
        self.settings = settings
        self.nudge_token = secrets.token_urlsafe(24)
        self.counters = Counters()
        self.shared = open_shared(settings, data, self.counters)
        stores = open_stores(settings, data, ledger=ledger)
        self.catalog, self.ledger, self.spool = stores.catalog, stores.ledger, stores.spool
        self.counters.add("catalog.unknown_apps", stores.unknown_apps)
        self.counters.add("catalog.unknown_keys", stores.unknown_keys)
        # What follows has connections of its own: however many routes wait for the others, changes are seen in time.
        self._followed = open_followed(settings, data)
        self.rankings = Rankings(
            self.ledger,
            self._followed,
            floor=floor,
            clock=lambda: datetime.now(UTC),
            memory_budget=settings.rankings.memory_budget,
        )
        self.drain = Drain(
            self.spool,
            self.catalog,
            self.ledger,
            delivered=self.rankings.refresh,
            counters=self.counters,
            clock_ms=wall_clock_ms,
        )
        self.ledger_follower = (
            LedgerFollower(self.rankings.refresh, ready=lambda: self.drain.state().ready, counters=self.counters)
            if self.ledger.shared
            else None
        )
        self.upkeep = open_upkeep(settings, self.ledger, self.rankings, self.drain)
        self.auth = Auth(self._followed, self.counters)
        self.collector = Collector(self.spool, settings.spool_folder(data), counters=self.counters)
        self.remotes = Remotes(wall_clock_ms)
        self.publisher = Publisher(
            snapshot_of(data),
            self._followed,
            options,
            run=run,
            clock_ms=wall_clock_ms,
            published=self._published,
        )
        self.follower = Follower(
            {"keys": self.auth.refresh, SNAPSHOT: self.publisher.refresh, "apps": self.rankings.catch_up},
            counters=self.counters,
            clock_ms=wall_clock_ms,
        )
        self.election = Election(self._followed if self.catalog.on_server else None, DUTIES, holder=uuid.uuid4().hex)
        self.analytics = Analytics(
            self.rankings, self.catalog, self.ledger.analyst, floor=floor, clock=lambda: datetime.now(UTC)
        )
        self.rate_limits = open_rate_limits(settings, data)
        self.sessions = Sessions(data / "sessions.sqlite", wall_clock_ms)
        limiter: RateLimiter = self.rate_limits
        session_store: SessionStore = LocalSessions(self.sessions)
        if self.shared is not None:
            # What speaks Redis is imported only where a Redis server is shared.
            from tokenboard.rate_limits.shared import SharedRateLimits  # noqa: PLC0415
            from tokenboard.web.shared_sessions import SharedSessions  # noqa: PLC0415

            limiter = SharedRateLimits(self.shared, self.rate_limits)
            session_store = SharedSessions(self.shared, wall_clock_ms)
        ingest = Ingest(self.spool, self.counters, floor=floor, clock_ms=wall_clock_ms)
        demo = (data / DEMO_MARK).exists()
        visibility = PagesVisibility(settings.pages.visibility)
        api = create_api(
            Services(
                auth=self.auth,
                catalog=self.catalog,
                spool=self.spool,
                ingest=ingest,
                ledger=self.ledger,
                rankings=self.rankings,
                analytics=self.analytics,
                rate_limits=limiter,
                upkeep=self.upkeep,
                counters=self.counters,
                gateways=gateways,
                collector=self.collector,
                remotes=self.remotes,
                shipments=Shipments(self.spool, self.counters),
                drain_state=self.drain.state,
                options=options,
                data=DataSettings(floor=floor, cors_origin=settings.data_api.cors or None),
                clock_ms=wall_clock_ms,
                catch_up=self.follower.catch_up,
                following=self.follower.state,
                shared_fault=self._shared_fault,
                nudge_token=self.nudge_token,
                try_page=TryPage(
                    title=settings.pages.title,
                    stylesheet=own_address("board.css"),
                    icon=own_address("icon.svg"),
                    pages=visibility is not PagesVisibility.OFF,
                    notice=DEMO_NOTICE if demo else "",
                ),
            )
        )
        self.renderer = Renderer()
        web = create_web(
            WebServices(
                auth=self.auth,
                sessions=session_store,
                analytics=self.analytics,
                rankings=self.rankings,
                renderer=self.renderer,
                site=Site(
                    title=settings.pages.title,
                    base_url=base_url.rstrip("/"),
                    visibility=visibility,
                    echo=settings.gateway.echo,
                    demo=demo,
                ),
                floor=floor,
                clock_ms=wall_clock_ms,
                api_document=cache(partial(describe, api)),
            )
        )
        self.asgi = Application(api, web)

    def _published(self, revision: int) -> None:
        """Let every gateway go by what was published, those of other machines too, as far as they are connected."""
        if (snapshot := self.publisher.current) is not None:
            self.remotes.announce(snapshot)
        self._gateways.publish(revision)
        self.remotes.confirm()

    def start(self) -> None:
        """Start the follower, the collector and the drain.

        The drain completes what a crash interrupted, fills the rankings and goes on.
        """
        self.follower.start()
        self.election.start()
        self.collector.start()
        self.drain.start()
        if self.ledger_follower is not None:
            self.ledger_follower.start()

    async def stop(self) -> Ending:
        """Collect and deliver what is left, and close everything."""
        if self.shared is not None:
            await self.shared.close()
        return await asyncio.to_thread(self._close)

    def _shared_fault(self) -> str | None:
        failure = None if self.shared is None else self.shared.failure
        return None if failure is None else f"{failure}. {failure.hint}"

    def _close(self) -> Ending:
        self.renderer.close()
        self.election.stop()
        self.follower.stop()
        if self.ledger_follower is not None:
            self.ledger_follower.stop()
        collected = self.collector.stop()
        delivered = self.drain.stop() and collected
        sound = self.spool.sound
        self.spool.close()
        self.ledger.close()
        self.rate_limits.close()
        self.sessions.close()
        self._followed.close()
        self.catalog.close()
        if not sound:
            return Ending.AT_FAULT
        return Ending.DELIVERED if delivered else Ending.WAITING
