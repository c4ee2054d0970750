"""A board: every part, wired together once."""

import asyncio
import enum
import os
import secrets
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from tokenboard.analytics import Analytics
from tokenboard.api import DataSettings, Services, TryPage, create_api, describe
from tokenboard.app.asgi import Application
from tokenboard.app.catalog import open_followed, wall_clock_ms
from tokenboard.app.folder import DEMO_MARK
from tokenboard.app.stores import open_stores
from tokenboard.attribution import AttributionOptions, AttributionRule
from tokenboard.auth import Auth, Sessions
from tokenboard.config import ConfigError, Settings
from tokenboard.config.settings import Upstream as UpstreamSettings
from tokenboard.drain import Drain
from tokenboard.follower import Follower
from tokenboard.gateway import (
    EchoUpstream,
    ForwardAttribution,
    Gateway,
    HttpUpstream,
    PassRule,
    Timeouts,
    Upstream,
    UpstreamDialect,
    Upstreams,
    UpstreamSpec,
)
from tokenboard.ingest import Ingest
from tokenboard.intake import Intake
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.rankings import Rankings
from tokenboard.rate_limits import Counts, RateLimits
from tokenboard.upkeep import Upkeep
from tokenboard.web import DEMO_NOTICE, PagesVisibility, Site, WebServices, create_web, own_address
from tokenboard.web.charts import Renderer

PROBE_WITHIN_S = 10.0
"""How long an upstream may take to list its models when it is checked, in seconds."""


def open_upkeep(settings: Settings, ledger: Ledger, rankings: Rankings, drain: Drain) -> Upkeep:
    """Return the upkeep of a board's figures."""
    return Upkeep(
        ledger,
        rankings,
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


class Ending(enum.Enum):
    """How a board ended.

    DELIVERED: the ledger has everything. WAITING: events wait in a sound spool for the next start. AT_FAULT: the spool
    could not be written or read, so that nobody knows whether the next start will find them.
    """

    DELIVERED = enum.auto()
    WAITING = enum.auto()
    AT_FAULT = enum.auto()


class Board:
    """Everything that one process needs to serve, on one data folder it owns.

    ``start`` begins to deliver what the spool holds, and to follow the catalog; ``asgi`` answers HTTP; ``stop``
    delivers what is left and closes every store. ``ledger`` may be given by a test that wants it to fail.
    """

    def __init__(self, settings: Settings, data: Path, *, base_url: str, ledger: Ledger | None = None) -> None:
        options = attribution_options(settings)
        upstreams = _upstreams(settings, base_url, data)
        floor = settings.attribution.floor
        self.settings = settings
        self.nudge_token = secrets.token_urlsafe(24)
        self.counters = Counters()
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
        self.upkeep = open_upkeep(settings, self.ledger, self.rankings, self.drain)
        self.auth = Auth(self._followed, self.counters)
        self.follower = Follower(
            {"keys": self.auth.refresh, "apps": self.rankings.catch_up},
            counters=self.counters,
            clock_ms=wall_clock_ms,
        )
        self.analytics = Analytics(
            self.rankings, self.catalog, self.ledger.analyst, floor=floor, clock=lambda: datetime.now(UTC)
        )
        self.rate_limits = open_rate_limits(settings, data)
        intake = Intake(self.spool, self.counters)
        ingest = Ingest(self.spool, self.counters, floor=floor, clock_ms=wall_clock_ms)
        self.gateway = Gateway(
            auth=self.auth,
            intake=intake,
            upstreams=upstreams,
            options=options,
            clock_ms=wall_clock_ms,
            max_body=settings.gateway.max_body,
            drain_s=settings.gateway.drain_timeout_s if settings.gateway.on_disconnect == "drain" else None,
            send_timeout_s=settings.gateway.send_timeout_s,
            counters=self.counters,
            cors_origin=settings.data_api.cors or None,
        )
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
                rate_limits=self.rate_limits,
                upkeep=self.upkeep,
                counters=self.counters,
                drain_state=self.drain.state,
                options=options,
                data=DataSettings(floor=floor, cors_origin=settings.data_api.cors or None),
                clock_ms=wall_clock_ms,
                catch_up=self.follower.catch_up,
                following=self.follower.state,
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
        self.sessions = Sessions(data / "sessions.sqlite", wall_clock_ms)
        web = create_web(
            WebServices(
                auth=self.auth,
                sessions=self.sessions,
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

    def start(self) -> None:
        """Start the follower, and the drain: it completes what a crash interrupted, fills the rankings and goes on."""
        self.follower.start()
        self.drain.start()

    async def stop(self) -> Ending:
        """Deliver what is left and close everything."""
        await self.gateway.aclose()
        return await asyncio.to_thread(self._close)

    def _close(self) -> Ending:
        self.renderer.close()
        self.follower.stop()
        delivered = self.drain.stop()
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


def attribution_options(settings: Settings) -> AttributionOptions:
    """Return the rules of attribution that the settings ask for.

    Raises:
        ConfigError: a rule could never give an app.

    """
    given = settings.attribution
    try:
        rules = tuple(
            AttributionRule(
                url=rule.url, key_label=rule.key_label, user_agent_prefix=rule.user_agent_prefix, title=rule.title
            )
            for rule in given.rule
        )
    except ValueError as error:
        raise ConfigError(f"[[attribution.rule]]: {error}") from error
    return AttributionOptions(browser_referer=given.browser_referer, rules=rules)


def _upstreams(settings: Settings, base_url: str, data: Path) -> Upstreams:
    """Return the upstreams in order: the echo first, as its name is its own."""
    names = [upstream.name for upstream in settings.upstream]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"[[upstream]]: two are named {twice!r}; give each a name of its own")
    default = settings.gateway.default_upstream
    if default and default not in names:
        raise ConfigError(f"[gateway] default_upstream: no [[upstream]] is named {default!r}; there are: {names}")
    board = ((b"http-referer", base_url.encode("ascii", "ignore")), (b"x-title", b"tokenboard"))
    opened: list[Upstream] = [EchoUpstream()] if settings.gateway.echo else []
    fallback: Upstream | None = None
    for given in settings.upstream:
        try:
            upstream = HttpUpstream(_spec(given, settings, data), board)
        except ValueError as error:
            raise ConfigError(f"[[upstream]] {given.name}: {error}") from error
        opened.append(upstream)
        fallback = upstream if given.name == default else fallback
    return Upstreams(opened, fallback, failover=settings.gateway.failover)


async def probe_upstreams(settings: Settings, data: Path) -> list[tuple[str, str | None]]:
    """Ask every configured upstream for its list of models; return each one's name and its fault, or None."""
    upstreams = _upstreams(settings, "http://localhost", data)
    try:
        return await asyncio.gather(*(_probe(upstream) for upstream in upstreams))
    finally:
        await upstreams.aclose()


async def _probe(upstream: Upstream) -> tuple[str, str | None]:
    try:
        async with asyncio.timeout(PROBE_WITHIN_S):
            return upstream.name, await upstream.probe()
    except TimeoutError:
        return upstream.name, f"it gave no list of models within {PROBE_WITHIN_S:.0f} s. See whether it is overloaded."


def _file(named: str, data: Path) -> Path | None:
    """Return the path of a file that a setting names, relative to the data folder; None for an empty setting."""
    return data / Path(named).expanduser() if named else None


def _spec(given: UpstreamSettings, settings: Settings, data: Path) -> UpstreamSpec:
    # A key read from a file into the environment often ends with a line break.
    api_key = os.environ.get(given.api_key_env, "").strip() if given.api_key_env else None
    if given.api_key_env and not api_key:
        raise ConfigError(
            f"[[upstream]] {given.name}: the environment variable {given.api_key_env} is not set; "
            "export it with the upstream's key, or leave api_key_env out when there is none"
        )
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise ConfigError(f"[[upstream]] {given.name}: the value of {given.api_key_env} is no key: not printable ASCII")
    gateway = settings.gateway
    return UpstreamSpec(
        name=given.name,
        base_url=given.base_url,
        api_key=api_key,
        models=given.models,
        strip_prefix=given.strip_prefix,
        include_usage=given.include_usage,
        dialect=UpstreamDialect(given.dialect),
        headers=given.headers,
        forward_attribution=ForwardAttribution(given.forward_attribution),
        timeouts=Timeouts(
            connect_s=given.connect_timeout_s or gateway.connect_timeout_s,
            first_byte_s=given.first_byte_timeout_s or gateway.first_byte_timeout_s,
            idle_s=given.idle_timeout_s or gateway.idle_timeout_s,
        ),
        max_connections=given.max_connections or gateway.max_connections,
        tls_ca_file=_file(given.tls_ca_file, data),
        tls_verify=given.tls_verify,
        tls_cert_file=_file(given.tls_cert_file, data),
        tls_key_file=_file(given.tls_key_file, data),
        query=given.query,
        passthrough=tuple(PassRule.parse(text) for text in given.passthrough),
    )
