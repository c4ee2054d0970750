"""A ledger and a catalog in memory, for the rankings to read."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPOCH = date(1970, 1, 1)

Figures = Mapping[tuple[date, int], tuple[int, int]]
"""(requests, tokens) by day and app id; 0 is unattributed. How tokens split follows from their number: see `split`."""


@dataclass(frozen=True)
class App:
    id: int
    name: str = ""
    canonical_id: int | None = None
    visibility: str = "public"
    categories: tuple[str, ...] = ()
    url: str = ""
    first_seen_ms: int = 0
    revision: int = 1


@dataclass(frozen=True)
class Rows:
    day: NDArray[np.int32]
    app_id: NDArray[np.int64]
    requests: NDArray[Any]
    tokens: NDArray[Any]
    prompt: NDArray[Any]
    cached: NDArray[Any]
    reasoning: NDArray[Any]


@dataclass(frozen=True)
class Changes:
    revision: int
    apps: tuple[App, ...]


def split(tokens: int) -> tuple[int, int, int]:
    """Prompt, cached and reasoning tokens of so many tokens."""
    prompt = tokens * 2 // 3 if tokens > 1 else 0
    return prompt, prompt // 2, (tokens - prompt) // 4


def rows_of(figures: Figures) -> Rows:
    keys = list(figures)
    splits = [split(figures[key][1]) for key in keys]
    return Rows(
        day=np.array([(day - EPOCH).days for day, _ in keys], np.int32),
        app_id=np.array([app_id for _, app_id in keys], np.int64),
        requests=integers([figures[key][0] for key in keys]),
        tokens=integers([figures[key][1] for key in keys]),
        prompt=integers([each[0] for each in splits]),
        cached=integers([each[1] for each in splits]),
        reasoning=integers([each[2] for each in splits]),
    )


def integers(values: list[int]) -> NDArray[Any]:
    """An int64 array, or one of Python ints when a value would not fit."""
    fits = all(-(2**63) <= value < 2**63 for value in values)
    return np.array(values, np.int64 if fits else object)


def nothing() -> None:
    """What a hook does unless told."""


class FakeLedger:
    """Figures by day and app; a hook runs after the counters, or the figures, have been read."""

    def __init__(self, figures: Figures | None = None) -> None:
        self.figures: dict[tuple[date, int], tuple[int, int]] = {}
        self.changes: dict[date, int] = {}
        self.days_read: list[date] = []
        self.after_changes: Callable[[], None] = nothing
        self.after_figures: Callable[[], None] = nothing
        self._lock = Lock()
        for (day, app_id), (requests, tokens) in (figures or {}).items():
            self.add(day, app_id, requests=requests, tokens=tokens)

    def add(self, day: date, app_id: int, *, tokens: int, requests: int = 1) -> None:
        with self._lock:
            have = self.figures.get((day, app_id), (0, 0))
            self.figures[day, app_id] = (have[0] + requests, have[1] + tokens)
            self.changes[day] = self.changes.get(day, 0) + 1

    def forget(self, day: date) -> None:
        with self._lock:
            self.figures = {key: value for key, value in self.figures.items() if key[0] != day}
            del self.changes[day]

    def day_changes(self) -> dict[date, int]:
        with self._lock:
            changes = dict(self.changes)
        self.after_changes()
        return changes

    def read_days(self, days: Collection[date] | None) -> Rows:
        with self._lock:
            rows = rows_of({key: value for key, value in self.figures.items() if days is None or key[0] in days})
            self.days_read.extend(days or ())
        self.after_figures()
        return rows


class FakeCatalog:
    """Apps with a revision for each change."""

    def __init__(self, apps: Iterable[App] = ()) -> None:
        self._lock = Lock()
        self._apps: dict[int, App] = {}
        self._revision = 0
        self.put(*apps)

    def put(self, *apps: App) -> None:
        with self._lock:
            for app in apps:
                self._revision += 1
                self._apps[app.id] = replace(app, revision=self._revision)

    def restore(self, revision: int, *apps: App) -> None:
        """Put back an earlier state."""
        with self._lock:
            self._apps = {app.id: replace(app, revision=revision) for app in apps}
            self._revision = revision

    def revision(self) -> int:
        with self._lock:
            return self._revision

    def changes(self, since: int) -> Changes:
        with self._lock:
            return Changes(self._revision, tuple(app for app in self._apps.values() if app.revision > since))
