"""Taking back all that operators did, the latest first, leaves the catalog as it was; ranks are right throughout."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.catalog.reference import shown
from tests.catalog.seen import seen
from tests.effort import examples
from tests.followed import follow
from tests.rankings.fakes import FakeLedger
from tokenboard.attribution import merge_categories
from tokenboard.catalog import App, Catalog, CatalogError
from tokenboard.rankings import Rankings

DAY = date(2026, 3, 4)
NOW = datetime(2026, 3, 5, tzinfo=UTC)
APPS = [
    ("https://a.dev", "game"),
    ("https://a.dev/x", "legal"),
    ("https://a.dev/y", "roleplay"),
    ("https://b.dev/x", "cli-agent"),
    ("https://b.dev", "game"),
]
LATER = [("https://a.dev/z", "legal"), ("https://c.dev", "game"), ("https://b.dev/z", "legal")]

Action = Callable[[Catalog], object]
ids = st.integers(1, len(APPS) + 1)
hosts = st.sampled_from(["a.dev", "b.dev"])
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(lambda alias, to: lambda catalog: catalog.merge(alias, to, "x"), ids, ids),
    st.builds(lambda alias: lambda catalog: catalog.unmerge(alias, "x"), ids),
    st.builds(lambda host, into: lambda catalog: catalog.fold(host, "x", into=into), hosts, st.none() | ids),
    st.builds(lambda host: lambda catalog: catalog.unfold(host, "x"), hosts),
    st.builds(lambda app_id: lambda catalog: catalog.hide(app_id, "x"), ids),
    st.builds(lambda app_id: lambda catalog: catalog.set_private(app_id, "x"), ids),
    st.builds(lambda app_id: lambda catalog: catalog.publish(app_id, "x"), ids),
    st.builds(lambda app_id, name: lambda catalog: catalog.rename(app_id, name, "x"), ids, st.sampled_from("NM")),
    st.builds(lambda app_id: lambda catalog: catalog.unpin(app_id, "x"), ids),
    st.builds(lambda app_id: lambda catalog: catalog.categorize(app_id, ["image-gen"], "x"), ids),
    st.builds(lambda app_id: lambda catalog: catalog.uncategorize(app_id, "x"), ids),
    st.builds(lambda back: lambda catalog: catalog.undo(len(catalog.log(1000)) - back, "x"), st.integers(0, 4)),
    st.just(lambda catalog: catalog.observe([seen(url, None, category) for url, category in LATER])),
)


class World:
    """A catalog, and the rankings over it: app ``n`` has 10 ** n tokens, so that a sum tells whose it is."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.ledger = FakeLedger()
        self.rankings = Rankings(self.ledger, catalog, floor=DAY - timedelta(days=400), clock=lambda: NOW)
        catalog.observe([seen(url, None, category) for url, category in APPS])
        for app_id in range(len(APPS) + len(LATER) + 1):
            self.ledger.add(DAY, app_id, tokens=10**app_id)
        self.rankings.fill()
        follow(catalog)["apps"] = self.rankings.catch_up

    def apps(self) -> dict[int, App]:
        return {app.id: app for app in self.catalog.apps(limit=1000).apps}

    def check(self) -> None:
        """Hold the rankings against what the catalog says, slowly."""
        apps = self.apps()
        sums: dict[int, int] = {}
        categories: dict[int, tuple[str, ...]] = {app_id: app.categories for app_id, app in apps.items()}
        for app_id in sorted(apps):
            root = self.root(apps, app_id)
            sums[root] = sums.get(root, 0) + 10**app_id
            if root != app_id:
                categories[root] = merge_categories(categories[root], apps[app_id].categories)
        visible = [app_id for app_id in sums if apps[app_id].visibility == "public"]
        expected = [
            (place, app_id, sums[app_id], apps[app_id].name)
            for place, app_id in enumerate(sorted(visible, key=lambda app_id: (-sums[app_id], app_id)), 1)
        ]
        answer = self.rankings.answer(self.rankings.question({"start_date": str(DAY), "end_date": str(DAY)}))
        rows = answer.ranking.rows
        assert expected == [(row.rank, row.app_id, row.tokens, row.name) for row in rows]
        totals = answer.ranking.totals
        listed = sum(sums[app_id] for app_id in visible)
        everything = sum(10**app_id for app_id in range(len(APPS) + len(LATER) + 1))
        assert (everything, listed, 1) == (totals.all_traffic.tokens, totals.listed.tokens, totals.unattributed.tokens)
        assert everything == totals.listed.tokens + totals.unlisted.tokens + totals.unattributed.tokens
        for app_id in visible:
            entry = self.rankings.app(app_id)
            assert entry is not None
            assert categories[app_id] == entry.categories

    @staticmethod
    def root(apps: dict[int, App], app_id: int) -> int:
        for _ in apps:
            onward = apps[app_id].canonical_id
            if onward is None:
                return app_id
            app_id = onward
        raise AssertionError("a ring")


def in_force(catalog: Catalog) -> list[int]:
    """The entries that are to be taken back, the latest first: neither undone nor themselves the taking back of one."""
    entries = list(reversed(catalog.log(1000)))
    taking_back: set[int] = set()
    for entry in entries:
        if entry.undoes is not None and entry.undoes not in taking_back:
            taking_back.add(entry.id)
    return [
        entry.id
        for entry in reversed(entries)
        if entry.undone_by is None and entry.before != entry.after and entry.id not in taking_back
    ]


@settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=st.lists(ACTIONS, max_size=16))
def test_taking_everything_back_leaves_the_catalog_as_it_was(
    actions: list[Action], migrated_file: Path, tmp_path: Path
) -> None:
    file = shutil.copy(migrated_file, tmp_path / "catalog.db")
    catalog = Catalog.open(f"sqlite:///{file}", new_app_limit=0)
    try:
        world = World(catalog)
        before = {app_id: shown(app) for app_id, app in world.apps().items()}
        for action in actions:
            try:
                done = action(catalog)
            except CatalogError:
                continue
            assert done
            world.check()

        for entry_id in in_force(catalog):
            catalog.undo(entry_id, "x")
            world.check()

        after = {app_id: shown(app) for app_id, app in world.apps().items()}
        assert before == {app_id: after[app_id] for app_id in before}
        assert all(after[app_id]["canonical_id"] is None for app_id in after)
        assert () == catalog.folds()
    finally:
        catalog.close()
