"""The index of apps: all of the catalog in the orders in which a directory lists it, and the text a search looks in."""

from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tokenboard.attribution import searchable
from tokenboard.rankings import AppRow, Rankings


@dataclass(frozen=True, slots=True)
class AppIndex:
    """All apps, aliases and hidden ones included: what may be shown is up to `VisibleApps`.

    ``by_name`` and ``by_newest`` are ids, ties by ascending id; ``texts`` holds name and URL by id, as searches compare
    them.
    """

    by_name: NDArray[np.int64]
    by_newest: NDArray[np.int64]
    texts: dict[int, str]

    def matching(self, search: str, width: int) -> NDArray[np.bool_]:
        """Return for each id below ``width`` whether the app's name or URL holds ``search``, whatever the case."""
        wanted = searchable(search)
        found = np.zeros(width, np.bool_)
        found[[app_id for app_id, text in self.texts.items() if app_id < width and wanted in text]] = True
        return found


class AppIndexCache:
    """Keeps the index; rebuilds it, once, when the catalog has changed."""

    def __init__(self, rankings: Rankings) -> None:
        self._rankings = rankings
        self._lock = Lock()
        self._revision = -1
        self._index: AppIndex | None = None

    def index(self) -> AppIndex:
        """Return the index of the apps as the rankings know them; raises NotFilledError."""
        with self._lock:
            # Before the apps: what is newer than it says is indexed once more, never missed.
            revision = self._rankings.catalog_revision
            if self._index is None or revision != self._revision:
                self._index = _indexed(self._rankings.read(lambda _, roster: roster.apps()))
                self._revision = revision
            return self._index


def _indexed(apps: dict[int, AppRow]) -> AppIndex:
    by_name = sorted(apps.values(), key=lambda app: (app.name.casefold(), app.id))
    by_newest = sorted(apps.values(), key=lambda app: (-app.first_seen_ms, app.id))
    return AppIndex(
        by_name=np.array([app.id for app in by_name], np.int64),
        by_newest=np.array([app.id for app in by_newest], np.int64),
        texts={app.id: searchable(f"{app.name}\n{app.url}") for app in apps.values()},
    )
