"""What pages ask: directory, series, models, charts; whom the gate lets through; how answers are kept."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from threading import Barrier, Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analytics.rig import FLOOR, TODAY, Rig, Use, days_before
from tokenboard.analytics import AnswerCache, Found, Grain, NotFound, Order, Period, Window
from tokenboard.rankings import NotFilledError, Rankings, RankMetric

NOTHING: dict[str, int] = {}
WEEK = Window(days_before(7), days_before(1))


def test_named_windows_end_with_the_last_completed_day_and_begin_no_earlier_than_the_dataset(rig: Rig) -> None:
    assert Window(days_before(1), days_before(1)) == rig.analytics.window(Period.DAY)
    assert WEEK == rig.analytics.window(Period.WEEK)
    assert Window(days_before(30), days_before(1)) == rig.analytics.window(Period.MONTH)
    rig.now = datetime.combine(FLOOR + timedelta(days=3), time(1), UTC)
    assert Window(FLOOR, FLOOR + timedelta(days=2)) == rig.analytics.window(Period.MONTH)
    rig.now = datetime.combine(FLOOR, time(1), UTC)
    assert Window(FLOOR, FLOOR) == rig.analytics.window(Period.WEEK)


def test_nothing_is_answered_before_the_figures_are_there(rig: Rig) -> None:
    rig.analytics._rankings = Rankings(rig.ledger, rig.catalog, floor=FLOOR, clock=lambda: rig.now)
    for ask in (rig.analytics.directory, lambda: rig.analytics.models(WEEK), lambda: rig.analytics.apps_daily(WEEK)):
        with pytest.raises(NotFilledError):
            ask()


def test_limits_out_of_range_are_refused(rig: Rig) -> None:
    for ask in (
        lambda: rig.analytics.directory(limit=0),
        lambda: rig.analytics.directory(limit=101),
        lambda: rig.analytics.directory(offset=-1),
        lambda: rig.analytics.directory(search="x" * 201),
        lambda: rig.analytics.usage(1, WEEK, models=51),
        lambda: rig.analytics.models(Window(FLOOR, FLOOR + timedelta(days=366))),
        lambda: rig.analytics.apps_daily(WEEK, top=0),
    ):
        with pytest.raises(ValueError, match=r"is|has"):
            ask()


def test_a_path_nobody_has_sent_yet_of_a_folded_host_leads_to_the_fold(rig: Rig) -> None:
    rig.use(Use("https://a.example/one"), Use("https://a.example/two"))
    assert isinstance(rig.analytics.lookup("https://a.example/three"), NotFound)
    rig.catalog.fold("a.example", "test")
    found = Found(1, "https://a.example/three", by_alias=True)
    assert found == rig.analytics.lookup("https://a.example/three")
    rig.catalog.hide(1, "test")
    assert isinstance(rig.analytics.lookup("https://a.example/three"), NotFound)


def test_an_app_that_may_not_be_shown_is_in_no_answer(rig: Rig) -> None:
    rig.use(Use("https://a.example"), Use("https://b.example"), Use("https://c.example"), Use("https://d.example"))
    rig.catalog.merge(2, 1, "test")
    rig.catalog.hide(3, "test")
    rig.catalog.set_private(4, "test")
    analytics = rig.analytics
    assert [1] == [row.app.app_id for row in analytics.directory().rows]
    assert [30] == [row.tokens for row in analytics.directory().rows]
    for order in Order:
        assert 1 == analytics.directory(sort=order).total
    apps = analytics.model_apps("openai/gpt-4o", WEEK)
    assert apps is not None
    assert ([1], 30, 30) == ([row.app.app_id for row in apps.rows], apps.unlisted.tokens, apps.listed_traffic.tokens)
    chart = analytics.apps_daily(WEEK)
    assert ([1], 30) == ([bar.app.app_id for bar in chart.bars], sum(chart.unlisted))
    for app_id in (3, 4, 5, 10**9):
        assert analytics.app(app_id) is None
        assert analytics.usage(app_id, WEEK) is None
        assert analytics.hours(app_id, WEEK) is None
        assert analytics.rank_history(app_id, WEEK) is None
        assert () == analytics.aliases(app_id)
    assert isinstance(analytics.lookup("c.example"), NotFound)
    assert Found(1, "https://b.example", by_alias=True) == analytics.lookup("b.example")
    detail = analytics.app(2)
    assert detail is not None
    assert (1, 2, True) == (detail.app.app_id, detail.asked_id, detail.by_alias)
    rig.catalog.hide(2, "test")
    assert (None, ()) == (analytics.app(2), analytics.aliases(1))
    assert isinstance(analytics.lookup("b.example"), NotFound)
    rig.catalog.hide(1, "test")
    assert (0, None) == (analytics.directory().total, analytics.app(1))


def test_bars_and_the_rest_add_up_to_all_traffic_on_every_day(rig: Rig) -> None:
    uses = [
        Use(f"https://app-{n}.example", days_before(1 + n % 5), prompt=n + 1, categories=("game",) if n % 3 else ())
        for n in range(12)
    ]
    rig.use(*uses, Use(None, prompt=100), Use("https://app-1.example", failed=True, prompt=0, completion=0))
    rig.catalog.hide(rig.ids["https://app-11.example"], "test")
    for chart in [rig.analytics.apps_daily(WEEK, top=3, metric=metric) for metric in RankMetric]:
        for place, day in enumerate(chart.days):
            whole = sum(bar.values[place] for bar in chart.bars)
            whole += chart.other[place] + chart.unlisted[place] + chart.unattributed[place]
            board = rig.analytics.models(Window(day, day)).all_traffic
            assert whole in {board.tokens, board.requests}
    tokens = rig.analytics.apps_daily(WEEK, top=3)
    assert [11, 10, 9] == [bar.app.app_id for bar in tokens.bars]
    assert 115 - 10 == sum(tokens.unattributed)
    games = rig.analytics.apps_daily(WEEK, top=100, category="entertainment")
    assert (7, 0) == (len(games.bars), sum(games.other))


def test_models_and_their_authors_share_the_market(rig: Rig) -> None:
    rig.use(
        Use(model="a/x", prompt=60, completion=0),
        Use(model="b/y", prompt=20, completion=10, day=days_before(9)),
        Use(model="b/y", prompt=20, completion=0),
        Use(None, model="b/z", prompt=15, completion=0),
        Use(model="plain", prompt=5, completion=0, cost=Decimal("0.5")),
        Use(model="tried", failed=True, prompt=0, completion=0),
    )
    page = rig.analytics.models(WEEK)
    assert [("a/x", 1, None), ("b/y", 2, 1), ("b/z", 3, None), ("plain", 4, None)] == [
        (row.model, row.rank, row.previous) for row in page.rows
    ]
    assert (100, 4, 1) == (page.all_traffic.tokens, page.all_traffic.requests, page.all_traffic.failed)
    assert [("a", 0.6, 1), ("b", 0.35, 2), (None, 0.05, 1)] == [
        (row.author, row.share, row.models) for row in rig.analytics.authors(WEEK).rows
    ]
    found = rig.analytics.models(WEEK, search="B/", limit=1, offset=1)
    assert (["b/z"], 2, [3]) == ([row.model for row in found.rows], found.total, [row.rank for row in found.rows])
    detail = rig.analytics.model("b/y", Window(days_before(10), days_before(1)))
    assert detail is not None
    assert [(days_before(9), 30), (days_before(1), 20)] == [(day.day, day.figures.tokens) for day in detail.days]
    assert (2, 50) == (detail.rank, detail.total.tokens)
    idle = rig.analytics.model("b/y", Window(days_before(5), days_before(4)))
    assert idle is not None
    assert (None, (), 0.0) == (idle.rank, idle.days, idle.share)
    assert rig.analytics.model("tried", Window(days_before(5), days_before(4))) is None
    assert rig.analytics.model_apps("nobody/knows", WEEK) is None


def test_an_apps_places_are_told_day_by_day(rig: Rig) -> None:
    rig.use(
        Use("https://a.example", days_before(2), prompt=1),
        Use("https://b.example", days_before(2), prompt=5),
        Use("https://a.example", days_before(1), prompt=9),
        Use("https://b.example", days_before(1), prompt=5),
    )
    history = rig.analytics.rank_history(1, Window(days_before(3), days_before(1)))
    assert history is not None
    assert [(None, 0), (2, 6), (1, 14)] == [(point.rank, point.tokens) for point in history]


def test_hours_are_told_as_far_as_they_are_kept(rig: Rig) -> None:
    today = datetime.now(UTC).date()
    rig.now = datetime.combine(today, time(12), UTC)
    monday = today - timedelta(days=today.weekday() + 7)
    rig.use(
        *(Use(day=monday, hour=hour, model=f"m/{hour}") for hour in (3, 3, 22)), Use(day=monday + timedelta(days=1))
    )
    window = Window(today - timedelta(days=100), today)
    pattern = rig.analytics.hours(1, window)
    assert pattern is not None
    assert 168 == len(pattern.cells)
    used = {(cell.weekday, cell.hour): (cell.tokens, cell.requests) for cell in pattern.cells if cell.requests}
    assert {(1, 3): (30, 2), (1, 22): (15, 1), (2, 12): (15, 1)} == used
    assert Window(today - timedelta(days=34), today) == pattern.window
    series = rig.analytics.usage(1, window, Grain.HOUR)
    assert series is not None
    assert [3, 22, 12] == [point.start.hour for point in series.points]
    assert (60, [None]) == (series.total.tokens, [share.model for share in series.models])


def test_the_directory_has_its_orders(rig: Rig) -> None:
    def at(n: int, **more: object) -> Use:
        return Use(f"https://{n}.example", **more)  # type: ignore[arg-type]

    rig.use(
        at(1, title="Beta", day=days_before(20), prompt=300),
        at(2, title="alpha", day=days_before(3), prompt=50),
        at(3, title="Gamma", day=days_before(2), prompt=40),
        at(1, day=days_before(1), prompt=60),
    )
    orders = {order: [row.app.name for row in rig.analytics.directory(sort=order).rows] for order in Order}
    assert {
        Order.POPULAR: ["Beta", "alpha", "Gamma"],
        Order.TRENDING: ["alpha", "Gamma"],
        Order.NAME: ["alpha", "Beta", "Gamma"],
        Order.NEWEST: ["Gamma", "alpha", "Beta"],
    } == orders
    page = rig.analytics.directory(search="MM", limit=1)
    assert (1, ["Gamma"], [3]) == (page.total, [row.app.name for row in page.rows], [row.rank for row in page.rows])
    assert ["alpha"] == [row.app.name for row in rig.analytics.directory(limit=1, offset=1).rows]


def test_answers_are_kept_until_something_changes(rig: Rig) -> None:
    rig.use(Use())
    first = rig.analytics.models(WEEK, limit=5), rig.analytics.usage(1, WEEK)
    stamp = rig.analytics.stamp
    assert first[1] is rig.analytics.usage(1, WEEK)
    rig.rankings.refresh()
    assert stamp == rig.analytics.stamp
    rig.use(Use(failed=True, prompt=0, completion=0))
    assert stamp != rig.analytics.stamp
    assert first[1] is not rig.analytics.usage(1, WEEK)
    stamp = rig.analytics.stamp
    rig.catalog.rename(1, "Other", "test")
    assert stamp != rig.analytics.stamp
    stamp = rig.analytics.stamp
    rig.now += timedelta(days=1)
    assert (stamp, TODAY + timedelta(days=1)) != (rig.analytics.stamp, rig.analytics.today)
    assert stamp != rig.analytics.stamp


def test_of_many_who_ask_at_once_one_works_and_an_error_is_nobody_elses() -> None:
    cache: AnswerCache[int] = AnswerCache(10, lambda _, __: 1)
    made, go, told = [], Event(), []
    together = Barrier(9)

    def make() -> int:
        made.append(1)
        go.wait(10)
        return 42

    def ask() -> None:
        together.wait(10)
        told.append(cache.get("now", "what", make))

    asking = [Thread(target=ask) for _ in range(8)]
    for thread in asking:
        thread.start()
    together.wait(10)
    go.set()
    for thread in asking:
        thread.join()
    assert ([42] * 8, 1) == (told, len(made))
    assert 42 == cache.peek("now", "what")
    assert cache.peek("later", "what") is None
    with pytest.raises(KeyError):
        cache.get("now", "why", lambda: NOTHING["nothing"])
    assert 7 == cache.get("now", "why", lambda: 7)


@given(st.lists(st.integers(0, 30), max_size=40))
def test_the_room_for_answers_is_never_passed(weights: list[int]) -> None:
    cache: AnswerCache[int] = AnswerCache(20, lambda _, weight: weight)
    for place, weight in enumerate(weights):
        assert weight == cache.get(0, place, weight.__int__)
        kept = [cache.peek(0, each) for each in range(place + 1)]
        assert 20 >= sum(each for each in kept if each is not None)
        assert (cache.peek(0, place) == weight) == (weight <= 20)


def test_days_before_the_dataset_count_as_nothing(rig: Rig) -> None:
    rig.use(Use(day=FLOOR), Use(day=FLOOR - timedelta(days=1), prompt=500))
    detail = rig.analytics.app(1)
    assert detail is not None
    assert FLOOR == detail.last_day
    first = Window(date(2025, 12, 1), FLOOR)
    assert [15] == [row.tokens for row in rig.analytics.directory(window=first).rows]
