"""The rankings: a cube and a roster, kept up to date from ledger and catalog, and the answers from them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from threading import Lock
from typing import TypeVar

from tokenboard.query import Window
from tokenboard.rankings.cube import Cube
from tokenboard.rankings.days import Day
from tokenboard.rankings.history import AppDays, RosterView, daily_ranks, days_of, last_days_of, roster_view
from tokenboard.rankings.metric import RankMetric
from tokenboard.rankings.question import NO_EXTRAS, Extra, Question, Sort, parse_question
from tokenboard.rankings.ranking import Figures, Placement, Ranking, figures_of, placement, rank
from tokenboard.rankings.roster import Roster, RosterEntry
from tokenboard.rankings.sources import CatalogReader, LedgerReader

DEFAULT_MEMORY_BUDGET = 512 * 1024**2
"""Bytes that the figures may take before checkpoints are left out."""

# Bounds the memory of one read from the ledger, and how long one write keeps readers waiting.
_DAYS_AT_ONCE = 16

T = TypeVar("T")


class NotFilledError(RuntimeError):
    """There are no figures yet: the ledger has not been read since the start. An API answers 503."""

    def __init__(self) -> None:
        super().__init__("the rankings are still being read from the ledger; try again in a moment")


@dataclass(frozen=True, slots=True)
class Answer:
    """A ranking and the state of the data that it is from.

    ``as_of``, UTC in whole seconds: the figures hold all that was in the ledger then. ``epoch`` grows with every
    change of figures or apps: answers to one question at one epoch differ in ``as_of`` only.
    """

    ranking: Ranking
    as_of: datetime
    epoch: int


class Rankings:
    """The read model, for any number of threads.

    ``floor`` is the dataset's first day; ``clock`` gives the present time with its time zone. Past ``memory_budget``
    bytes the cube keeps fewer checkpoints, as few as it may: answers then take longer. ``fill`` or ``refresh``
    is called by a worker after the start and after each acknowledged batch, ``catch_up`` by what follows the
    catalog, and before a change of an app is called done, so that merges, names and visibility are in force with it.
    Answers come from memory alone. Errors of the ledger and the catalog are raised to these callers and leave
    everything as it was; the next call tries again.
    """

    def __init__(
        self,
        ledger: LedgerReader,
        catalog: CatalogReader,
        *,
        floor: date,
        clock: Callable[[], datetime],
        memory_budget: int = DEFAULT_MEMORY_BUDGET,
    ) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._floor = floor
        self._clock = clock
        self._memory_budget = memory_budget
        # Taken in this order: writing, catching up with the catalog, the figures. No store is read under the last.
        self._writing = Lock()
        self._catching_up = Lock()
        self._figures = Lock()
        self._begun = 0
        self._finished = 0
        self._cube: Cube | None = None
        self._seen: dict[date, int] = {}
        self._roster = Roster()
        self._catalog_revision = 0
        self._as_of = datetime.fromtimestamp(0, UTC)
        self._epoch = 0
        self._reads = 0

    @property
    def reads(self) -> int:
        """Grows whenever days were read again: all the ledger holds of them may differ, not only what a cube keeps."""
        return self._reads  # without the lock, as for the epoch

    @property
    def as_of(self) -> datetime:
        """The figures hold all that was in the ledger then, UTC, whole seconds; raises NotFilledError before a fill."""
        with self._figures:
            self._current_cube()
            return self._as_of

    @property
    def epoch(self) -> int:
        """Grows with every change of figures or apps that an answer could show; never blocks."""
        return self._epoch  # without the lock: who reads it early finds answers that are newer, never older

    @property
    def catalog_revision(self) -> int:
        """The catalog's revision up to which answers know the apps; never blocks."""
        return self._catalog_revision  # without the lock, as for the epoch

    @property
    def nbytes(self) -> int:
        """Bytes of memory the figures take; 0 before they are there."""
        with self._figures:
            cube = self._cube
        return 0 if cube is None else cube.nbytes

    @property
    def step(self) -> int:
        """Days between two checkpoints of the figures, 1 where the memory budget allows it; 0 before they are there."""
        with self._figures:
            return 0 if self._cube is None else self._cube.step

    def fill(self) -> None:
        """Read all figures and apps again; until the last moment answers come from what was there before."""
        with self._writing:
            self._fill()

    def refresh(self) -> int:
        """Take over all that changed in ledger and catalog before this call; the number of days read, at most.

        Fills when there are no figures yet. Of calls at one time one works and the others wait: a call that waited
        while another began after it has nothing left to do and returns 0.
        """
        begun_before = self._begun
        with self._writing:
            if self._finished > begun_before:
                return 0
            self._begun += 1
            begun = self._begun
            days = self._fill() if self._cube is None else self._advance(self._cube)
            self._finished = begun
            return days

    def catch_up(self) -> None:
        """Take over what changed in the catalog before this call; cheap when nothing did. Blocks."""
        if self._catalog.revision() == self._catalog_revision:
            return
        with self._catching_up:
            revision = self._catalog.revision()
            if revision == self._catalog_revision:
                return
            # A catalog put back to an earlier state has forgotten changes: read all of it.
            anew = revision < self._catalog_revision
            changes = self._catalog.changes(0 if anew else self._catalog_revision)
            with self._figures:
                roster = Roster() if anew else self._roster
                changed = roster.update(changes.apps)
                self._roster = roster
                self._catalog_revision = changes.revision
                self._epoch += changed or anew

    def question(self, params: Mapping[str, str] | Iterable[tuple[str, str]]) -> Question:
        """The question that query parameters ask today; raises ParameterError as ``parse_question`` does."""
        return parse_question(params, floor=self._floor, today=self._now().date())

    def answer(self, question: Question, extras: Collection[Extra] = NO_EXTRAS) -> Answer:
        """The ranking as things stand; raises NotFilledError before the first fill.

        A row's url, categories, split, trend, history and previous are None unless ``extras`` holds them.
        """
        with self._figures:
            ranking = rank(self._current_cube(), self._roster, question, extras)
            return Answer(ranking=ranking, as_of=self._as_of, epoch=self._epoch)

    def app(self, app_id: int) -> RosterEntry | None:
        """What the catalog says of an app, with aliases resolved; None when there is none of this id."""
        with self._figures:
            return self._roster.entry(app_id)

    def placement(
        self,
        app_id: int,
        window: Window,
        *,
        category: str | None = None,
        subcategory: str | None = None,
        sort: Sort = Sort.POPULAR,
        metric: RankMetric = RankMetric.TOKENS,
    ) -> Placement | None:
        """Where an app stands in a ranking; None when it is not listed there, as aliases and hidden apps never are.

        Raises NotFilledError before the first fill.
        """
        question = Question(sort, category, subcategory, window, limit=1, offset=0, metric=metric)
        return self.read(lambda cube, roster: placement(cube, roster, app_id, question))

    def figures_of(self, app_ids: Collection[int], window: Window) -> dict[int, Figures]:
        """Tokens and requests over the window of those of these apps that may be shown. Raises as ``answer``."""
        return self.read(lambda cube, roster: figures_of(cube, roster, app_ids, window))

    def days(self, app_id: int, window: Window) -> AppDays | None:
        """An app's figures day by day, aliases included; None when it may not be shown. Raises as ``answer``."""
        return self.read(lambda cube, roster: days_of(cube, roster, app_id, window))

    def rank_history(
        self,
        app_id: int,
        window: Window,
        *,
        category: str | None = None,
        subcategory: str | None = None,
        metric: RankMetric = RankMetric.TOKENS,
    ) -> tuple[int | None, ...] | None:
        """An app's rank among the popular of each day of the window, None on days when it was not listed.

        None when the app may not be shown. Raises as ``answer``.
        """

        def look(cube: Cube, roster: Roster) -> tuple[list[Day], RosterView] | None:
            if not roster.is_visible(app_id):
                return None
            return cube.window_days(window.start, window.end), roster_view(cube, roster, category, subcategory)

        seen = self.read(look)
        # Ranking every day takes long, and what was seen does not change: it need not hold the lock.
        return None if seen is None else tuple(daily_ranks(*seen, app_id, metric))

    def last_days(self, app_ids: Collection[int]) -> dict[int, date]:
        """The last UTC day with usage, aliases included, of those of these apps that may be shown and have any.

        Raises as ``answer``.
        """
        return self.read(lambda cube, roster: last_days_of(cube, roster, app_ids))

    def last_day(self, app_id: int) -> date | None:
        """The last UTC day with usage of one app; None without any, and when it may not be shown."""
        return self.last_days([app_id]).get(app_id)

    def read(self, work: Callable[[Cube, Roster], T]) -> T:
        """What ``work`` makes of one state of figures and apps; it is brief and keeps neither. Raises as ``answer``."""
        with self._figures:
            return work(self._current_cube(), self._roster)

    def _current_cube(self) -> Cube:
        if self._cube is None:
            raise NotFilledError
        return self._cube

    def _fill(self) -> int:
        as_of = self._now()
        changes = self._known_changes(as_of)
        cube = Cube(self._floor)
        for days in _portions(sorted(changes)):
            cube.replace_days(self._ledger.read_days(days), days)
            self._keep_to_budget(cube)
        self.catch_up()
        with self._figures:
            self._cube = cube
            self._as_of = as_of
            self._epoch += 1
            self._reads += 1
        self._seen = changes
        return len(changes)

    def _advance(self, cube: Cube) -> int:
        as_of = self._now()
        # The counters come before the figures: a change in between is then read once more, never missed.
        changes = self._known_changes(as_of)
        stale = sorted(day for day in changes.keys() | self._seen.keys() if changes.get(day) != self._seen.get(day))
        for days in _portions(stale):
            self._replace(cube, days)
            self._seen.update((day, changes[day]) for day in days if day in changes)
            for day in days:
                if day not in changes:
                    self._seen.pop(day, None)
        self.catch_up()
        with self._figures:
            self._as_of = as_of
        return len(stale)

    def _replace(self, cube: Cube, days: list[date]) -> None:
        rows = self._ledger.read_days(days)
        replacement = cube.prepare(rows, days)
        # An app is in the catalog before its usage is in the ledger: with the catalog now, every row's app is known.
        self.catch_up()
        with self._figures:
            self._reads += 1
            try:
                self._epoch += cube.apply(replacement)
            except BaseException:
                # Stopped half way the sums are worthless: the next refresh reads everything again.
                self._cube = None
                raise
        self._keep_to_budget(cube)

    def _keep_to_budget(self, cube: Cube) -> None:
        while cube.nbytes > self._memory_budget:
            with self._figures:
                if not cube.thin():
                    return

    def _known_changes(self, now: datetime) -> dict[date, int]:
        # Usage can be dated a few minutes ahead. Days further on have no place on a board; they are read once they
        # come.
        last = now.date() + timedelta(days=1)
        return {day: count for day, count in self._ledger.day_changes().items() if self._floor <= day <= last}

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(microsecond=0)


def _portions(days: list[date]) -> Iterator[list[date]]:
    rest = iter(days)
    while portion := list(islice(rest, _DAYS_AT_ONCE)):
        yield portion
