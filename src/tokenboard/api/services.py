"""What the routes work with; made by the composition root, handed to `create_api`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from tokenboard.analytics import Analytics
from tokenboard.api.try_page import TryPage
from tokenboard.attribution import AttributionOptions
from tokenboard.auth import Auth
from tokenboard.catalog import Catalog
from tokenboard.collector import Collector, Shipments
from tokenboard.control import GatewayState, Remotes
from tokenboard.drain import DrainState
from tokenboard.follower import Following
from tokenboard.ingest import Ingest
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.rankings import Rankings
from tokenboard.rate_limits import RateLimiter
from tokenboard.spool import Spool
from tokenboard.upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class DataSettings:
    """``floor`` is the dataset's first UTC day; ``cors_origin`` the value of Access-Control-Allow-Origin, or None."""

    floor: date
    cors_origin: str | None


def _no_fault() -> str | None:
    return None


class GatewaysView(Protocol):
    """The gateways of the data folder: those of other processes, or the one in this."""

    away: tuple[str, ...]
    """The names of those that did not answer the last time."""

    async def states(self) -> Sequence[GatewayState]:
        """Ask each one how it is."""

    def publish(self, revision: int) -> None:
        """Let every one go by the snapshot of this revision; blocks."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts below the API. ``clock_ms`` returns UTC epoch milliseconds.

    ``catch_up`` returns once what has changed in the catalog is in force, and blocks; ``following`` tells, without
    waiting, whether the catalog can be read, and ``shared_fault`` why the shared store cannot be asked, if so.
    """

    auth: Auth
    catalog: Catalog
    spool: Spool
    ingest: Ingest
    ledger: Ledger
    rankings: Rankings
    analytics: Analytics
    rate_limits: RateLimiter
    upkeep: Upkeep
    counters: Counters
    gateways: GatewaysView
    collector: Collector
    remotes: Remotes
    shipments: Shipments
    drain_state: Callable[[], DrainState]
    options: AttributionOptions
    data: DataSettings
    clock_ms: Callable[[], int]
    catch_up: Callable[[], None]
    following: Callable[[], Following]
    nudge_token: str
    shared_fault: Callable[[], str | None] = _no_fault
    try_page: TryPage = field(default_factory=TryPage)
