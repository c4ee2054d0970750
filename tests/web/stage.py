"""A small board under the pages: a real ledger, catalog, rankings and analytics in this process, over a quarter."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from starlette.testclient import TestClient

from tests.analytics.rig import FLOOR, TODAY, Rig, Use
from tests.rows import arrange_rows
from tests.web.rig import api_document
from tokenboard.auth import Auth, Sessions
from tokenboard.web import PagesVisibility, Site, WebServices, create_web
from tokenboard.web.charts import Renderer
from tokenboard.web.session_stores import LocalSessions

BASE_URL = "https://board.example"

STEADY = "https://steady.example"
RISER = "https://riser.example"
CREATIVE = "https://creative.example"
ARABIC = "https://arabic.example"
MARKUP = "https://markup.example"
SMALL = "https://small.example"
HIDDEN = "https://hidden.example"
ALIAS = "https://old.creative.example"
TITLES = {
    STEADY: "Steady",
    RISER: "Riser",
    CREATIVE: "Creative",
    ARABIC: "محرر النصوص",
    MARKUP: "</title><script>alert(1)</script>",
    SMALL: "=cmd|' /C calc'!A0",
    HIDDEN: "Hidden Thing",
    ALIAS: "Former Name",
}
GONE = ("hidden.example", "Hidden Thing", "old.creative.example", "Former Name")
"""What appears nowhere: the hidden app's host and name, and the alias's."""

MODELS = ("openai/gpt-4o", "openai/gpt-mini", "meta/llama-3.1-70b.instruct", "plain", "odd/100% a?b#c.csv.v2")


@dataclass(frozen=True)
class Stage:
    """``rig`` holds the figures; ``open`` gives a browser of the pages under a visibility."""

    rig: Rig
    renderer: Renderer
    auth: Auth
    sessions: Sessions

    def services(self, visibility: PagesVisibility = PagesVisibility.PUBLIC) -> WebServices:
        return WebServices(
            auth=self.auth,
            sessions=LocalSessions(self.sessions),
            analytics=self.rig.analytics,
            rankings=self.rig.rankings,
            renderer=self.renderer,
            site=Site("Test board", BASE_URL, visibility),
            floor=FLOOR,
            clock_ms=lambda: int(self.rig.now.timestamp() * 1000),
            api_document=api_document,
        )

    def open(self, visibility: PagesVisibility = PagesVisibility.PUBLIC) -> TestClient:
        # The scheme is the board's own, so that a secure cookie comes back.
        return TestClient(create_web(self.services(visibility)), base_url=BASE_URL, follow_redirects=False)

    def id_of(self, url: str) -> int:
        return self.rig.ids[url]


def set_stage(rig: Rig, renderer: Renderer) -> Stage:
    """Fill the rig: eight apps and unattributed traffic, one app hidden, one joined with another."""
    _store(rig, list(_quarter()))
    rig.catalog.hide(rig.ids[HIDDEN], "test")
    rig.catalog.merge(rig.ids[ALIAS], rig.ids[CREATIVE], "test")
    auth = Auth(rig.catalog)
    rig.followed["keys of the pages"] = auth.refresh
    return Stage(rig, renderer, auth, Sessions(None, rig.clock_ms))


def _store(rig: Rig, uses: list[Use]) -> None:
    """Store usage as `Rig.use` does, each app named once: hundreds of transactions would take seconds."""
    for use in {use.url: use for use in uses}.values():
        rig.observe(use)
    app_ids = [0 if use.url is None else rig.ids[use.url] for use in uses]
    rig.ledger.insert(rig.next_batch(), arrange_rows([rig._event(use) for use in uses], app_ids, [None] * len(uses)))
    rig.rankings.refresh()


def _quarter() -> Iterator[Use]:
    """Steady grows a little; Riser comes late and passes all; Creative and Arabic stay side by side."""
    for back in range(69, -1, -1):
        day = TODAY - timedelta(days=back)
        yield _use(STEADY, day, 1_000 + 5 * (69 - back), "openai/gpt-4o", categories=("cli-agent",))
        yield _use(CREATIVE, day, 700 + (20 if back % 2 else -20), "openai/gpt-mini", categories=("creative-writing",))
        yield _use(ARABIC, day, 690, "meta/llama-3.1-70b.instruct")
        yield _use(MARKUP, day, 300, "plain")
        yield _use(HIDDEN, day, 2_000, "openai/gpt-4o")
        yield _use(None, day, 150, "openai/gpt-mini")
        if back % 3 == 0:
            yield _use(SMALL, day, 40, MODELS[-1])
            yield _use(ALIAS, day, 30, "openai/gpt-mini")
        if back <= 12:
            yield _use(RISER, day, 300 * (13 - back), "openai/gpt-4o", categories=("game",))


def _use(url: str | None, day: date, tokens: int, model: str, categories: tuple[str, ...] = ()) -> Use:
    prompt = tokens * 3 // 4
    return Use(
        url,
        day,
        model=model,
        prompt=prompt,
        completion=tokens - prompt,
        cached=prompt // 2,
        reasoning=(tokens - prompt) // 3,
        title=None if url is None else TITLES[url],
        categories=categories,
    )
