"""Every endpoint of the data beside the slow reference, over any sequence of what can happen to a board.

Late events, merges and their undoing, hidden and shown apps, changed categories, restarts: after each step all answers
must be those of the reference (design's invariants: shares add up, ranks are dense and in value order, what the
catalog says is in force at once over the whole history).
"""

import os
import shutil
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.analytics.reference import Reference, Span
from tests.analytics.rig import TODAY, Rig, Use, days_before, empty, open_catalog
from tokenboard.attribution import CATEGORIES
from tokenboard.catalog import MergeRefused, UndoRefused, UnknownApp
from tokenboard.ledger import Ledger

URLS = [f"https://app-{n}.example" for n in range(5)]
MODELS = ["openai/a", "openai/b", "anthropic/c", "plain", "other"]
EXTRAS = "url,categories,split,trend,history,previous,totals"
EXAMPLES = int(os.environ.get("TOKENBOARD_TEST_LIVES", "3"))
"""How many lives of a board are tried; `make fuzz` tries more."""

SPAN = Span(days_before(7), days_before(1))

uses = st.builds(
    Use,
    url=st.sampled_from([*URLS, None]),
    day=st.integers(0, 40).map(days_before),
    model=st.sampled_from(MODELS),
    prompt=st.integers(0, 9),
    completion=st.integers(0, 9),
    cached=st.integers(0, 3),
    reasoning=st.integers(0, 3),
    cost=st.sampled_from([Decimal(0), Decimal("0.25"), Decimal("0.000001")]),
    failed=st.sampled_from([False, False, False, True]),
    categories=st.sampled_from([(), ("game",), ("cli-agent", "legal")]),
).map(
    lambda use: use if not use.failed else Use(use.url, use.day, model=use.model, prompt=0, completion=0, failed=True)
)
apps = st.integers(1, len(URLS))


class Life(RuleBasedStateMachine):
    """What can happen to a board."""

    ledger: Ledger

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.catalog = open_catalog(self.folder)
        empty(self.ledger)
        self.rig = Rig(self.ledger, self.catalog)
        self.reference = Reference([], {})

    def teardown(self) -> None:
        self.rig.close()
        self.catalog.close()
        shutil.rmtree(self.folder)

    @rule(batch=st.lists(uses, min_size=1, max_size=6))
    def usage_comes(self, batch: list[Use]) -> None:
        self.rig.use(*batch)
        self.reference.uses += [(self.rig.ids[use.url] if use.url else 0, use) for use in batch]

    @rule(alias=apps, canonical=apps)
    def merge(self, alias: int, canonical: int) -> None:
        self.act(lambda: self.catalog.merge(alias, canonical, "test"))

    @rule(app_id=apps, visibility=st.sampled_from(["hide", "set_private", "publish"]))
    def show(self, app_id: int, visibility: str) -> None:
        self.act(lambda: getattr(self.catalog, visibility)(app_id, "test"))

    @rule(app_id=apps, categories=st.lists(st.sampled_from(sorted(CATEGORIES)), max_size=2, unique=True))
    def categorize(self, app_id: int, categories: list[str]) -> None:
        self.act(lambda: self.catalog.categorize(app_id, categories, "test"))

    @precondition(lambda self: self.catalog.log(limit=1))
    @rule(back=st.integers(0, 2))
    def undo(self, back: int) -> None:
        entries = self.catalog.log(limit=3)
        self.act(lambda: self.catalog.undo(entries[min(back, len(entries) - 1)].id, "test"))

    @rule()
    def restart(self) -> None:
        self.rig.restart()

    def act(self, action: Any) -> None:
        try:
            action()
        except (UnknownApp, MergeRefused, UndoRefused):
            return

    @invariant()
    def every_answer_is_the_references(self) -> None:
        self.reference.apps = {app.id: app for app in self.catalog.apps(limit=1000).apps}
        self.rankings_agree()
        self.models_agree()
        self.directory_agrees()
        for app_id in range(1, len(URLS) + 1):
            self.app_agrees(app_id)

    def rankings_agree(self) -> None:
        for sort, category, subcategory in (
            ("popular", None, None),
            ("trending", None, None),
            ("popular", "coding", None),
            ("popular", None, "game"),
        ):
            asked = {"sort": sort, "category": category, "subcategory": subcategory, "include": EXTRAS} | dated(SPAN)
            answer = self.rig.get("/datasets/app-rankings", **{k: v for k, v in asked.items() if v})
            assert self.reference.app_rankings(SPAN, sort, category, subcategory) == answer["data"]
            assert self.reference.totals(SPAN) == answer["meta"]["totals"]
        totals = {name: int(share["total_tokens"]) for name, share in answer["meta"]["totals"].items()}
        assert totals["all"] == totals["listed"] + totals["unlisted"] + totals["unattributed"]

    def models_agree(self) -> None:
        span = Span(days_before(45), TODAY)
        for period in ("day", "week", "month"):
            answer = self.rig.get("/datasets/rankings-daily", period=period, **dated(span))
            assert self.reference.rankings_daily(span, period) == answer["data"]
        used = {use.model for _, use in self.reference.uses if not use.failed}
        asked = self.rig.client.get("/api/v1/models/openai/a/apps", params=dated(SPAN))
        seen = any(use.model == "openai/a" and SPAN.holds(use) for _, use in self.reference.uses)
        if "openai/a" in used or seen:
            rows, totals = self.reference.model_apps(SPAN, "openai/a")
            assert rows == [without(row, "name", "url", "categories", "first_seen") for row in asked.json()["data"]]
            assert totals == asked.json()["meta"]["totals"]
        else:
            assert 404 == asked.status_code

    def directory_agrees(self) -> None:
        for sort, search in (("popular", ""), ("trending", ""), ("name", "APP-1"), ("newest", "")):
            answer = self.rig.get("/apps", sort=sort, search=search, **dated(SPAN))
            rows = [without(row, "name", "url", "categories", "first_seen") for row in answer["data"]]
            assert self.reference.directory(SPAN, sort, search) == rows
            assert len(rows) == answer["meta"]["total"]

    def app_agrees(self, app_id: int) -> None:
        asked = self.rig.client.get(f"/api/v1/apps/{app_id}")
        usage = self.rig.client.get(f"/api/v1/apps/{app_id}/usage", params={"models": "2"} | dated(SPAN))
        app, root = self.reference.apps.get(app_id), None
        if app is not None and app.visibility == "public" and self.reference.visible(self.reference.root(app_id)):
            root = self.reference.root(app_id)
        if app is not None:
            found = self.rig.client.get("/api/v1/apps/lookup", params={"url": app.url})
            assert (200 if root else 404) == found.status_code
            assert root is None or root == found.json()["data"]["app_id"]
        if root is None:
            assert (404, 404) == (asked.status_code, usage.status_code)
            return
        data = asked.json()["data"]
        shown = [alias for alias in self.reference.aliases(root) if self.reference.apps[alias].visibility == "public"]
        assert (root, shown) == (data["app_id"], [alias["app_id"] for alias in data["aliases"]])
        assert self.reference.categories(root) == data["categories"]
        for name, days in (("day", 1), ("week", 7), ("month", 30)):
            assert self.reference.placement(Span(days_before(days), days_before(1)), root) == data[name]
        assert self.reference.usage(SPAN, root, 2) == usage.json()["data"]


LATE = [
    Use(url, days_before(days), model=model, prompt=days) for url in URLS for days, model in ((3, "openai/a"), (9, "b"))
]


def test_every_endpoint_answers_as_the_slow_reference_through_one_full_life(ledger: Ledger) -> None:
    Life.ledger = ledger
    life = Life()
    try:
        for step in (
            lambda: life.usage_comes([Use(url, prompt=n, categories=("game",)) for n, url in enumerate(URLS)]),
            lambda: life.merge(2, 1),
            lambda: life.usage_comes(LATE),
            lambda: life.merge(3, 2),
            lambda: life.show(2, "hide"),
            lambda: life.categorize(2, ["legal", "cli-agent"]),
            life.restart,
            lambda: life.show(1, "set_private"),
            lambda: life.undo(0),
            lambda: life.usage_comes([Use(URLS[2], days_before(40), prompt=7), Use(None, model="other")]),
            lambda: life.merge(5, 4),
            lambda: life.undo(0),
            lambda: life.merge(1, 5),
            lambda: life.show(2, "publish"),
            lambda: life.undo(1),
        ):
            step()  # type: ignore[no-untyped-call]
            life.every_answer_is_the_references()
    finally:
        life.teardown()


def dated(span: Span) -> dict[str, str]:
    return {"start_date": str(span.start), "end_date": str(span.end)}


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_every_endpoint_answers_as_the_slow_reference_whatever_happens(ledger: Ledger) -> None:
    Life.ledger = ledger
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
