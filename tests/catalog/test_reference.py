"""The catalog against a slow reference: observations, actions and undos in any order, by two with little memory."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.catalog.reference import Reference, Refused, shown
from tests.effort import examples
from tokenboard.attribution import CATEGORIES, AppIdentity
from tokenboard.catalog import Catalog, CatalogError, Observation, Visibility, app_state
from tokenboard.catalog.engine import Database
from tokenboard.catalog.observations import DAY_MS, Observations

VARIANTS = 3
LIMIT = 2
TITLES = ("A", "a", "B", "C", "D", "E")
URLS = (
    "https://a.dev",
    "https://a.dev/x",
    "https://a.dev/y",
    "https://a.dev.b.dev",
    "https://b.dev",
    "http://localhost",
)
HOSTS = ("https://a.dev", "https://b.dev")


def identify(url: str, title: str | None) -> AppIdentity:
    return AppIdentity.of(url, title or "A")


observations = st.builds(
    lambda url, title, categories, ts, day, key: Observation(
        identify(url, title), title, tuple(categories), ts, day * DAY_MS, key
    ),
    st.sampled_from(URLS),
    st.none() | st.sampled_from(TITLES),
    st.lists(st.sampled_from(sorted(CATEGORIES)), max_size=2, unique=True),
    st.integers(1, 12),
    st.integers(0, 1),
    st.integers(1, 2),
)
batches = st.lists(observations, max_size=12)
ids = st.integers(1, 6)
who = st.integers(0, 1)


class Catalogs(RuleBasedStateMachine):
    """Two catalogs over one file, and the reference."""

    template: Path

    @initialize(policy=st.sampled_from(["latest", "first"]))
    def start(self, policy: str) -> None:
        self.held = ExitStack()
        folder = self.held.enter_context(tempfile.TemporaryDirectory())
        self.held.enter_context(patch.object(app_state, "VARIANTS_LIMIT", VARIANTS))
        shutil.copy(self.template, f"{folder}/catalog.db")
        self.catalogs = []
        for _ in range(2):
            database = Database(f"sqlite:///{folder}/catalog.db")
            self.held.callback(database.close)
            takes = Observations(database, new_app_limit=LIMIT, policy=app_state.TitlePolicy(policy), memory_limit=4)
            self.catalogs.append(Catalog(database, takes, lambda: 0))
        self.reference = Reference(limit=LIMIT, policy=policy, variants=VARIANTS)
        self.read: dict[int, dict[str, Any]] = {}
        self.revision = 0

    def teardown(self) -> None:
        self.held.close()

    @rule(batch=batches, who=who, again=st.booleans())
    def observe(self, batch: list[Observation], who: int, again: bool) -> None:
        expected = self.reference.observe(batch)
        assert expected == [answer.app_id for answer in self.catalogs[who].observe(batch)]
        if again:
            revision = self.catalogs[who].revision()
            assert expected == [answer.app_id for answer in self.catalogs[who].observe(batch)]
            assert revision == self.catalogs[who].revision()
            self.reference.observe(batch)

    @rule(alias_id=ids, canonical_id=ids, who=who)
    def merge(self, alias_id: int, canonical_id: int, who: int) -> None:
        self._act(
            "merge",
            alias_id,
            "alias",
            canonical_id,
            lambda: self.catalogs[who].merge(alias_id, canonical_id, "x"),
        )

    @rule(alias_id=ids, who=who)
    def unmerge(self, alias_id: int, who: int) -> None:
        self._act("unmerge", alias_id, "alias", None, lambda: self.catalogs[who].unmerge(alias_id, "x"))

    @rule(host=st.sampled_from(HOSTS), into=st.none() | ids, who=who)
    def fold(self, host: str, into: int | None, who: int) -> None:
        self._both(
            lambda: self.reference.fold(host, into), lambda: self.catalogs[who].fold(f"{host}/any", "x", into=into)
        )

    @rule(host=st.sampled_from(HOSTS), who=who)
    def unfold(self, host: str, who: int) -> None:
        self._both(lambda: self.reference.unfold(host), lambda: self.catalogs[who].unfold(host, "x"))

    @rule(app_id=ids, name=st.sampled_from(TITLES), who=who)
    def rename(self, app_id: int, name: str, who: int) -> None:
        self._act("rename", app_id, "pinned_name", name, lambda: self.catalogs[who].rename(app_id, name, "x"))

    @rule(app_id=ids, who=who)
    def unpin(self, app_id: int, who: int) -> None:
        self._act("unpin", app_id, "pinned_name", None, lambda: self.catalogs[who].unpin(app_id, "x"))

    @rule(app_id=ids, visibility=st.sampled_from(Visibility), who=who)
    def show(self, app_id: int, visibility: Visibility, who: int) -> None:
        catalog = self.catalogs[who]
        acts = {"public": catalog.publish, "hidden": catalog.hide, "private": catalog.set_private}
        self._act("show", app_id, "visibility", visibility, lambda: acts[visibility](app_id, "x"))

    @rule(app_id=ids, categories=st.lists(st.sampled_from(["game", "legal"]), unique=True), who=who)
    def categorize(self, app_id: int, categories: list[str], who: int) -> None:
        act = lambda: self.catalogs[who].categorize(app_id, categories, "x")  # noqa: E731
        self._act("categorize", app_id, "pinned_categories", tuple(categories), act)

    @rule(app_id=ids, who=who)
    def uncategorize(self, app_id: int, who: int) -> None:
        act = lambda: self.catalogs[who].uncategorize(app_id, "x")  # noqa: E731
        self._act("uncategorize", app_id, "pinned_categories", None, act)

    @rule(back=st.integers(0, 6), who=who)
    def undo(self, back: int, who: int) -> None:
        number = len(self.reference.log) - back
        self._both(lambda: self.reference.undo(number), lambda: self.catalogs[who].undo(number, "x"))

    @invariant()
    def the_catalog_shows_what_the_reference_shows(self) -> None:
        expected = self.reference.shown()
        changes = self.catalogs[0].changes(self.revision)
        changed = {app.id: shown(app) for app in changes.apps}
        assert {number for number in expected if self.read.get(number) != expected[number]} == set(changed)
        assert changes.revision == self.catalogs[1].revision() >= self.revision
        assert (changes.revision > self.revision) == bool(changed)
        self.revision = changes.revision
        self.read.update(changed)
        assert expected == self.read
        assert expected == {app.id: shown(app) for app in self.catalogs[1].apps().apps}

    @invariant()
    def the_variants_are_those_of_the_reference(self) -> None:
        for number, app in self.reference.apps.items():
            variants = self.catalogs[0].titles(number)
            assert app["titles"] == {one.title: (one.first_seen_ms, one.last_seen_ms) for one in variants}

    @invariant()
    def every_url_resolves_to_the_end_of_its_aliases(self) -> None:
        for number, app in self.reference.apps.items():
            end = number
            while (onward := self.reference.canonical_of(end)) is not None:
                end = onward
            if not app["identity"].is_loopback:
                assert end == self.catalogs[1].resolve(app["identity"].url).id
        assert {host: rule["into"] for host, rule in self.reference.folds.items() if rule["into"]} == {
            fold.host: fold.canonical_id for fold in self.catalogs[0].folds()
        }

    @invariant()
    def the_log_has_every_act(self) -> None:
        entries = self.catalogs[0].log(1000)
        assert len(entries) == len(self.reference.log)
        assert [entry.undone_by is not None for entry in reversed(entries)] == [
            entry["undone"] for entry in self.reference.log
        ]

    def _act(self, action: str, app_id: int, column: str, value: Any, act: Callable[[], object]) -> None:
        self._both(lambda: self.reference.act(action, app_id, column, value), act)

    @staticmethod
    def _both(expected: Callable[[], object], act: Callable[[], object]) -> None:
        """Do it both ways, and see that both refuse or none."""
        try:
            expected()
        except Refused:
            with pytest.raises(CatalogError):
                act()
        else:
            act()


def test_the_catalog_does_what_the_reference_does(migrated_file: Path) -> None:
    class Here(Catalogs):
        template = migrated_file

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples(25), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
