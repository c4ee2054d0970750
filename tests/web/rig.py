"""A small board and its pages, in process: real stores, real drawings, no server."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest.mock import MagicMock

from starlette.testclient import TestClient

from tests.analytics.rig import FLOOR, Rig, Use, days_before
from tokenboard.api import create_api, describe
from tokenboard.auth import Auth, Sessions
from tokenboard.web import Site, WebServices, create_web
from tokenboard.web.charts import Renderer
from tokenboard.web.session_stores import LocalSessions

BASE = "https://board.example"
SITE = Site(title="Test board", base_url=BASE)

CLINE, NIGHT, ALIAS, HIDDEN, PRIVATE, HOSTILE = (
    "https://cline.bot",
    "https://nightshift.example",
    "https://former-home.example",
    "https://hidden-hexagon.example",
    "https://private-prism.example",
    "https://hostile.example",
)
UNSEEN = ("Former Fig", "former-home", "Hidden Hexagon", "hidden-hexagon", "Private Prism", "private-prism")
"""Names and hosts of apps that no page may show."""


@cache
def api_document() -> dict[str, Any]:
    """Return the OpenAPI document, which tells of routes only and so needs nothing behind them."""
    return describe(create_api(MagicMock()))


@dataclass
class SmallBoard:
    """A rig with pages; ``ids`` are its apps' numbers by URL."""

    rig: Rig
    renderer: Renderer
    site: Site = SITE

    def __post_init__(self) -> None:
        self.web = self.pages()

    @property
    def ids(self) -> dict[str, int]:
        return self.rig.ids

    def services(self, **site: Any) -> WebServices:
        rig = self.rig
        auth = Auth(rig.catalog)
        rig.followed["keys of the pages"] = auth.refresh
        return WebServices(
            auth=auth,
            sessions=LocalSessions(Sessions(None, rig.clock_ms)),
            analytics=rig.analytics,
            rankings=rig.rankings,
            renderer=self.renderer,
            site=replace(self.site, **site),
            floor=FLOOR,
            clock_ms=rig.clock_ms,
            api_document=api_document,
        )

    def pages(self, **site: Any) -> TestClient:
        """Return a browser without redirects, for pages of a site with these settings."""
        return TestClient(create_web(self.services(**site)), base_url=BASE, follow_redirects=False)

    def html(self, address: str, status: int = 200) -> str:
        answer = self.web.get(address, headers={"Accept": "text/html"})
        assert answer.status_code == status, answer.text[:500]
        return answer.text

    def twin(self, address: str) -> Any:
        answer = self.web.get(address)
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()


def fill(rig: Rig) -> None:
    """Use the board: apps that are shown, merged, hidden and private, and requests that named none."""
    big = 10**12 + 1
    rig.use(
        *(
            Use(
                CLINE,
                days_before(back),
                hour=back % 24,
                model=f"maker/m-{back % 11}",
                prompt=1000 * back + 7,
                completion=3 * back,
                cached=500 * back,
                reasoning=back,
                title="Cline",
                categories=("cli-agent",),
            )
            for back in range(1, 41)
        ),
        Use(CLINE, model="plain", prompt=big, title="Cline"),
        Use(NIGHT, days_before(1), prompt=50_000, title="Nightshift 🌙", categories=("cloud-agent", "game")),
        Use(NIGHT, days_before(9), prompt=10, title="Nightshift 🌙"),
        Use(ALIAS, days_before(2), prompt=70, title="Former Fig"),
        Use(HIDDEN, prompt=90_000, title="Hidden Hexagon", categories=("game",)),
        Use(PRIVATE, prompt=80_000, title="Private Prism"),
        Use(HOSTILE, prompt=11, title="<script>alert(1)</script>"),
        Use(None, prompt=60_000),
    )
    rig.catalog.merge(rig.ids[ALIAS], rig.ids[CLINE], "test")
    rig.catalog.hide(rig.ids[HIDDEN], "test")
    rig.catalog.set_private(rig.ids[PRIVATE], "test")
