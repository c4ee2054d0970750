from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from threading import Event, Lock, Thread

import pytest

from tests.rankings.fakes import App, FakeCatalog, FakeLedger, nothing
from tokenboard.query import ParameterError, Window
from tokenboard.rankings import Extra, Figures, NotFilledError, Placement, Question, Rankings, RankMetric, Sort
from tokenboard.rankings.cube import MAX_STEP

FLOOR = date(2025, 1, 1)
NOW = datetime(2026, 3, 5, 2, 0, 0, 999_999, tzinfo=UTC)
TODAY = NOW.date()


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def service(ledger: FakeLedger, catalog: FakeCatalog, clock: Callable[[], datetime] | None = None) -> Rankings:
    return Rankings(ledger, catalog, floor=FLOOR, clock=clock or Clock())


def filled(ledger: FakeLedger, catalog: FakeCatalog, clock: Callable[[], datetime] | None = None) -> Rankings:
    rankings = service(ledger, catalog, clock)
    rankings.fill()
    return rankings


def ask(start: date, end: date) -> Question:
    return Question(Sort.POPULAR, None, None, Window(start, end), limit=100, offset=0)


EVER = ask(FLOOR, TODAY)

A, B, C, D, E = 1, 2, 3, 4, 5
WORKED_APPS = (
    App(A, name="A", categories=("cli-agent",)),
    App(B, name="B", categories=("cli-agent",)),
    App(C, name="C", categories=("roleplay", "game")),
    App(D, name="D", canonical_id=B),
    App(E, name="E", visibility="hidden"),
)
WORKED_USAGE = {
    date(2026, 3, 1): (10, 40, 0, 0, 500),
    date(2026, 3, 2): (20, 40, 7, 0, 500),
    date(2026, 3, 3): (30, 40, 7, 5, 500),
    date(2026, 3, 4): (61, 40, 7, 5, 500),
}


@pytest.fixture
def worked() -> tuple[Rankings, FakeCatalog]:
    """The example worked by hand: five apps, four days; D is an alias of B, E is hidden."""
    ledger, catalog = FakeLedger(), FakeCatalog(WORKED_APPS)
    for day, usage in WORKED_USAGE.items():
        for app_id, tokens in enumerate(usage, start=1):
            twice = app_id == C and day == date(2026, 3, 4)
            if tokens:
                ledger.add(day, app_id, tokens=tokens, requests=2 if twice else 1)
    return filled(ledger, catalog), catalog


LAST_DAY = {"start_date": "2026-03-04", "end_date": "2026-03-04"}
LAST_TWO = {"start_date": "2026-03-03", "end_date": "2026-03-04"}

Row = tuple[int, str, int, int]


def rows(rankings: Rankings, params: dict[str, str]) -> list[Row]:
    """The page as (rank, name, tokens, requests)."""
    ranking = rankings.answer(rankings.question(params)).ranking
    return [(row.rank, row.name, row.tokens, row.requests) for row in ranking.rows]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (LAST_DAY, [(1, "A", 61, 1), (2, "B", 45, 2), (3, "C", 7, 2)]),
        ({**LAST_DAY, "sort": "trending"}, [(1, "A", 61, 1), (2, "B", 45, 2), (3, "C", 7, 2)]),
        ({**LAST_DAY, "category": "entertainment"}, [(1, "C", 7, 2)]),
        ({**LAST_DAY, "offset": "1"}, [(2, "B", 45, 2), (3, "C", 7, 2)]),
        (LAST_TWO, [(1, "A", 91, 2), (2, "B", 90, 4), (3, "C", 14, 3)]),
        ({**LAST_TWO, "sort": "trending"}, [(1, "A", 91, 2), (2, "B", 90, 4), (3, "C", 14, 3)]),
    ],
)
def test_the_worked_example(worked: tuple[Rankings, FakeCatalog], params: dict[str, str], expected: list[Row]) -> None:
    assert expected == rows(worked[0], params)


@pytest.mark.parametrize(("params", "expected"), [(LAST_DAY, [123, 10, 7]), (LAST_TWO, [243, 190, 35])])
def test_the_worked_example_s_excess_three_times(
    worked: tuple[Rankings, FakeCatalog], params: dict[str, str], expected: list[int]
) -> None:
    window = worked[0].question(params).window

    def excess(days: Window) -> list[int]:
        def of_roots(cube, roster):  # type: ignore[no-untyped-def]
            three_times = 3 * cube.window_sums("tokens", days.start, days.end)
            three_times -= cube.three_before("tokens", days.start, days.end)
            roster.fold(three_times)
            return three_times.tolist()[A:D]

        found: list[int] = worked[0].read(of_roots)
        return found

    assert expected == excess(window)


def test_the_worked_example_refuses_a_subcategory_of_another_group(worked: tuple[Rankings, FakeCatalog]) -> None:
    with pytest.raises(ParameterError, match="category=coding"):
        worked[0].question({"subcategory": "cli-agent", "category": "entertainment"})


def test_the_worked_example_after_unmerging_d(worked: tuple[Rankings, FakeCatalog]) -> None:
    rankings, catalog = worked
    catalog.put(replace(WORKED_APPS[D - 1], canonical_id=None))
    rankings.catch_up()
    assert rows(rankings, LAST_DAY) == [(1, "A", 61, 1), (2, "B", 40, 1), (3, "C", 7, 2), (4, "D", 5, 1)]


def test_the_worked_example_after_unmerging_d_and_hiding_a(worked: tuple[Rankings, FakeCatalog]) -> None:
    rankings, catalog = worked
    catalog.put(replace(WORKED_APPS[D - 1], canonical_id=None), replace(WORKED_APPS[A - 1], visibility="hidden"))
    rankings.catch_up()
    assert rows(rankings, LAST_DAY) == [(1, "B", 40, 1), (2, "C", 7, 2), (3, "D", 5, 1)]


def test_questions_are_asked_of_the_utc_day_of_the_clock() -> None:
    east = datetime(2026, 3, 6, 3, 0, tzinfo=timezone(timedelta(hours=9)))
    rankings = service(FakeLedger(), FakeCatalog(), Clock(east))
    assert date(2026, 3, 4) == rankings.question({}).window.end


def test_before_the_first_fill_there_is_no_answer() -> None:
    rankings = service(FakeLedger(), FakeCatalog([App(1)]))
    assert 0 == rankings.nbytes
    for ask_it in (lambda: rankings.answer(EVER), lambda: rankings.read(lambda cube, roster: None)):
        with pytest.raises(NotFilledError):
            ask_it()


def test_the_first_refresh_fills() -> None:
    rankings = service(FakeLedger({(TODAY, 1): (1, 10)}), FakeCatalog([App(1)]))
    assert rankings.refresh() == 1
    assert rankings.answer(EVER).ranking.rows[0].tokens == 10
    assert rankings.nbytes > 0


def test_a_refresh_reads_only_the_days_that_changed() -> None:
    ledger = FakeLedger({(TODAY - timedelta(days=n), 1): (1, 10) for n in range(60)})
    rankings = filled(ledger, FakeCatalog([App(1)]))
    ledger.days_read.clear()
    ledger.add(TODAY, 1, tokens=1)
    ledger.add(TODAY - timedelta(days=40), 1, tokens=1)
    assert rankings.refresh() == 2
    assert [TODAY - timedelta(days=40), TODAY] == ledger.days_read
    assert rankings.answer(EVER).ranking.rows[0].tokens == 602
    assert rankings.refresh() == 0


def test_a_day_the_ledger_no_longer_has_becomes_zero() -> None:
    ledger = FakeLedger({(TODAY, 1): (1, 10), (FLOOR, 1): (1, 5)})
    rankings = filled(ledger, FakeCatalog([App(1)]))
    ledger.forget(TODAY)
    assert rankings.refresh() == 1
    assert rankings.answer(EVER).ranking.totals.all_traffic.tokens == 5
    assert rankings.refresh() == 0


def test_days_outside_the_board_are_read_once_they_come() -> None:
    clock = Clock()
    soon = TODAY + timedelta(days=2)
    ledger = FakeLedger({(FLOOR - timedelta(days=1), 1): (1, 1), (soon, 1): (1, 10), (date(2149, 6, 6), 1): (1, 1)})
    rankings = filled(ledger, FakeCatalog([App(1)]), clock)
    assert ledger.days_read == []
    clock.now += timedelta(days=1)
    assert rankings.refresh() == 1
    assert [soon] == ledger.days_read


def test_usage_that_comes_while_figures_are_read_is_read_at_the_next_refresh() -> None:
    ledger = FakeLedger({(TODAY, 1): (1, 10)})
    rankings = filled(ledger, FakeCatalog([App(1)]))
    for hook in ("after_changes", "after_figures"):

        def add_once(hook: str = hook) -> None:
            setattr(ledger, hook, nothing)
            ledger.add(TODAY, 1, tokens=100)

        ledger.add(TODAY, 1, tokens=1)
        setattr(ledger, hook, add_once)
        rankings.refresh()
        assert rankings.refresh() == 1
        assert sum(tokens for _, tokens in ledger.figures.values()) == rankings.answer(EVER).ranking.rows[0].tokens


def test_changes_of_the_catalog_are_in_force_once_caught_up_with_and_without_reading_the_ledger() -> None:
    catalog, ledger = FakeCatalog([App(1, name="Cline"), App(2)]), FakeLedger({(TODAY, 1): (1, 10), (TODAY, 2): (1, 5)})
    rankings = filled(ledger, catalog)
    ledger.days_read.clear()
    catalog.put(App(2, canonical_id=1), App(1, name="Roo"))
    assert [(row.name, row.tokens) for row in rankings.answer(EVER).ranking.rows] == [("Cline", 10), ("", 5)]
    rankings.catch_up()
    assert [(row.name, row.tokens) for row in rankings.answer(EVER).ranking.rows] == [("Roo", 15)]
    entry = rankings.app(2)
    assert entry is not None
    assert (entry.root_id, entry.visible) == (1, False)
    catalog.put(App(1, visibility="private"))
    rankings.catch_up()
    assert rankings.answer(EVER).ranking.rows == ()
    assert ([], catalog.revision()) == (ledger.days_read, rankings.catalog_revision)


def test_answers_go_on_from_memory_while_the_catalog_is_away() -> None:
    catalog = FakeCatalog([App(1)])
    rankings = filled(FakeLedger({(TODAY, 1): (1, 10)}), catalog)

    def away() -> int:
        raise ConnectionError

    catalog.revision = away  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        rankings.catch_up()
    assert 10 == rankings.answer(EVER).ranking.rows[0].tokens


def test_an_app_no_one_knows_is_none() -> None:
    assert service(FakeLedger(), FakeCatalog()).app(7) is None


def test_a_catalog_put_back_to_an_earlier_state_is_read_anew() -> None:
    catalog = FakeCatalog([App(1), App(2), App(3)])
    rankings = filled(FakeLedger({(TODAY, n): (1, 10) for n in (1, 2, 3)}), catalog)
    catalog.restore(2, App(1), App(2, canonical_id=1))
    rankings.catch_up()
    assert [(row.app_id, row.tokens) for row in rankings.answer(EVER).ranking.rows] == [(1, 20)]
    assert rankings.app(3) is None


def test_the_epoch_grows_with_every_change_and_only_then() -> None:
    ledger, catalog = FakeLedger({(TODAY, 1): (1, 10)}), FakeCatalog([App(1)])
    rankings = filled(ledger, catalog)
    first = rankings.answer(EVER).epoch
    assert (first, first) == (rankings.answer(EVER).epoch, rankings.epoch)
    ledger.changes[TODAY] += 1
    rankings.refresh()
    assert first == rankings.answer(EVER).epoch
    ledger.add(TODAY, 1, tokens=1)
    rankings.refresh()
    second = rankings.answer(EVER).epoch
    catalog.put(App(1, name="Roo"))
    rankings.catch_up()
    third = rankings.answer(EVER).epoch
    catalog.put(App(1, name="Roo"), App(1, name="Cline"))
    rankings.catch_up()
    fourth = rankings.answer(EVER).epoch
    assert first < second < third < fourth


def test_as_of_is_the_whole_second_before_the_ledger_was_last_read() -> None:
    clock = Clock()
    ledger = FakeLedger({(TODAY, 1): (1, 10)})
    rankings = filled(ledger, FakeCatalog([App(1)]), clock)
    clock.now += timedelta(seconds=5)
    assert NOW.replace(microsecond=0) == rankings.answer(EVER).as_of

    def pass_time() -> None:
        clock.now += timedelta(hours=1)

    ledger.after_changes = pass_time
    rankings.refresh()
    assert datetime(2026, 3, 5, 2, 0, 5, tzinfo=UTC) == rankings.answer(EVER).as_of


def test_a_ledger_that_is_away_leaves_the_figures_and_is_asked_again() -> None:
    ledger = FakeLedger({(TODAY, 1): (1, 10)})
    rankings = filled(ledger, FakeCatalog([App(1)]))

    def fail() -> None:
        raise ConnectionError

    ledger.add(TODAY, 1, tokens=1)
    for hook in ("after_changes", "after_figures"):
        setattr(ledger, hook, fail)
        for attempt in (rankings.refresh, rankings.fill):
            with pytest.raises(ConnectionError):
                attempt()
        setattr(ledger, hook, nothing)
        assert rankings.answer(EVER).ranking.rows[0].tokens == 10
    assert rankings.refresh() == 1
    assert rankings.answer(EVER).ranking.rows[0].tokens == 11


def test_a_write_stopped_half_way_is_never_shown_and_mended_by_the_next_refresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = FakeLedger({(TODAY, 1): (1, 10)})
    rankings = filled(ledger, FakeCatalog([App(1)]))
    ledger.add(TODAY, 1, tokens=1)

    def fail(*args: object) -> bool:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("tokenboard.rankings.cube.Cube.apply", fail)
        with pytest.raises(MemoryError):
            rankings.refresh()
    with pytest.raises(NotFilledError):
        rankings.answer(EVER)
    rankings.refresh()
    assert rankings.answer(EVER).ranking.rows[0].tokens == 11


def test_refreshes_at_one_time_share_the_one_that_began_after_they_were_called() -> None:
    ledger = FakeLedger({(TODAY, 1): (1, 10)})
    rankings = filled(ledger, FakeCatalog([App(1)]))
    reads: list[int] = []
    entered, release = Event(), Event()

    def hold() -> None:
        reads.append(1)
        entered.set()
        assert release.wait(30)

    ledger.after_changes = hold
    waiting = _CountingLock(rankings._writing)
    rankings._writing = waiting  # type: ignore[assignment]
    first = Thread(target=rankings.refresh)
    first.start()
    assert entered.wait(30)
    others = [Thread(target=rankings.refresh) for _ in range(5)]
    for thread in others:
        thread.start()
    assert waiting.all_here.wait(30)
    release.set()
    for thread in (first, *others):
        thread.join(30)
    assert len(reads) == 2


class _CountingLock:
    """A lock that tells when six have come for it."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._count = 0
        self._counting = Lock()
        self.all_here = Event()

    def __enter__(self) -> None:
        with self._counting:
            self._count += 1
            if self._count == 6:
                self.all_here.set()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def test_answers_during_refreshes_are_never_torn() -> None:
    """Each request has one token, so the two metrics agree in every state; merges move figures but lose none."""
    ledger = FakeLedger({(TODAY, 1): (1, 1)})
    catalog = FakeCatalog([App(app_id) for app_id in range(1, 41)])
    rankings = filled(ledger, catalog)
    failures: list[str] = []
    done = Event()

    def write() -> None:
        try:
            for n in range(100):
                app_id = n * 7 % 60
                ledger.add(TODAY - timedelta(days=n * 13 % 200), app_id, tokens=n + 1, requests=n + 1)
                ledger.add(TODAY, app_id, tokens=3, requests=3)
                if 0 < app_id <= 40:
                    catalog.put(
                        App(
                            app_id,
                            canonical_id=n % 40 + 1 if n % 3 else None,
                            visibility="public" if n % 5 else "hidden",
                        )
                    )
                rankings.refresh()
        finally:
            done.set()

    def read() -> None:
        all_before, epoch_before = 0, 0
        while not done.is_set():
            answer = rankings.answer(EVER)
            totals = answer.ranking.totals
            parts = (totals.listed, totals.unlisted, totals.unattributed)
            in_rows = sum(row.tokens for row in answer.ranking.rows)
            checks = {
                "shares": totals.all_traffic.tokens == sum(part.tokens for part in parts),
                "rows": in_rows == totals.listed.tokens,
                "metrics": all(part.tokens == part.requests for part in parts),
                "grows": totals.all_traffic.tokens >= all_before and answer.epoch >= epoch_before,
                "ranks": [row.rank for row in answer.ranking.rows] == list(range(1, answer.ranking.listed + 1)),
            }
            failures.extend(name for name, held in checks.items() if not held)
            all_before, epoch_before = totals.all_traffic.tokens, answer.epoch

    readers = [Thread(target=read) for _ in range(2)]
    writers = [Thread(target=write), Thread(target=lambda: _keep_refreshing(rankings, done))]
    for thread in (*readers, *writers):
        thread.start()
    for thread in (*writers, *readers):
        thread.join(60)
    assert failures == []
    assert (
        sum(tokens for _, tokens in ledger.figures.values()) == rankings.answer(EVER).ranking.totals.all_traffic.tokens
    )
    again = filled(ledger, catalog)
    assert again.answer(EVER).ranking == rankings.answer(EVER).ranking


def _keep_refreshing(rankings: Rankings, done: Event) -> None:
    while not done.is_set():
        rankings.refresh()


def test_past_its_memory_budget_figures_are_kept_more_sparsely_and_stay_the_same() -> None:
    random = Random(3)
    days = [TODAY - timedelta(days=n) for n in range(150)]
    ledger = FakeLedger({(day, app_id): (1, random.randrange(100)) for day in days for app_id in range(1, 60)})
    catalog = FakeCatalog([App(app_id) for app_id in range(1, 60)])
    dense = filled(ledger, catalog)
    assert dense.step == 1
    sparse = Rankings(ledger, catalog, floor=FLOOR, clock=Clock(), memory_budget=dense.nbytes // 2)
    assert sparse.step == 0
    sparse.fill()
    assert sparse.step > 1
    assert sparse.nbytes <= dense.nbytes // 2
    smallest = Rankings(ledger, catalog, floor=FLOOR, clock=Clock(), memory_budget=0)
    smallest.refresh()
    assert smallest.step == MAX_STEP
    for _ in range(3):
        for n in (1, 7, 30, 140):
            question = ask(TODAY - timedelta(days=n), TODAY)
            expected = dense.answer(question, frozenset(Extra)).ranking
            assert expected == sparse.answer(question, frozenset(Extra)).ranking
            assert expected == smallest.answer(question, frozenset(Extra)).ranking
        ledger.add(random.choice(days), random.randrange(1, 60), tokens=1000)
        assert {1} == {each.refresh() for each in (dense, sparse, smallest)}


def test_figures_that_outgrow_the_budget_between_refreshes_are_thinned_out() -> None:
    ledger = FakeLedger({(FLOOR, 1): (1, 1), (FLOOR + timedelta(days=399), 1): (1, 1)})
    rankings = Rankings(ledger, FakeCatalog([App(1), App(500)]), floor=FLOOR, clock=Clock(), memory_budget=400_000)
    rankings.fill()
    assert rankings.step == 1
    ledger.add(FLOOR, 500, tokens=5)
    rankings.refresh()
    assert rankings.step > 1
    assert rankings.nbytes <= 400_000
    assert [(1, 500, 5), (2, 1, 2)] == [(r.rank, r.app_id, r.tokens) for r in rankings.answer(EVER).ranking.rows]


def test_one_app_s_placement_days_and_ranks_follow_merges_and_visibility_at_once(
    worked: tuple[Rankings, FakeCatalog],
) -> None:
    rankings, catalog = worked
    window = Window(date(2026, 3, 3), date(2026, 3, 4))
    assert Placement(2, 3, 90, 4) == rankings.placement(B, window)
    assert Placement(1, 2, 90, 4) == rankings.placement(B, window, subcategory="cli-agent", metric=RankMetric.REQUESTS)
    assert rankings.placement(D, window) is None
    days = rankings.days(B, window)
    assert days is not None
    assert ((45, 45), (2, 2)) == (days.tokens, days.requests)
    assert (1, 2) == rankings.rank_history(B, window)
    assert {A: Figures(91, 2), B: Figures(90, 4)} == rankings.figures_of([A, B, D, E], window)
    assert date(2026, 3, 4) == rankings.last_day(B)
    catalog.put(replace(WORKED_APPS[D - 1], canonical_id=None), replace(WORKED_APPS[A - 1], visibility="hidden"))
    rankings.catch_up()
    assert Placement(1, 3, 80, 2) == rankings.placement(B, window)
    assert (3, 3) == rankings.rank_history(D, window)
    for told in (rankings.placement(A, window), rankings.days(A, window), rankings.rank_history(A, window)):
        assert told is None
    assert rankings.last_day(A) is None
    assert {} == rankings.figures_of([A], window)


def test_of_one_app_nothing_is_told_before_the_first_fill() -> None:
    rankings = service(FakeLedger(), FakeCatalog([App(1)]))
    window = Window(FLOOR, TODAY)
    for ask_it in (rankings.placement, rankings.days, rankings.rank_history):
        with pytest.raises(NotFilledError):
            ask_it(1, window)
    with pytest.raises(NotFilledError):
        rankings.last_day(1)
