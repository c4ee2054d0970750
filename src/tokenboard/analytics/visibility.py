"""Visibility: which app may be shown, decided here and nowhere else in the answers.

Shown are public apps that are no alias of another. An alias leads to its canonical app, unless the alias itself is
hidden or private: then it is as if it were not there, though its usage counts for the canonical app.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tokenboard.analytics.answers import Listing
from tokenboard.rankings import Rankings, Roster, RosterEntry

_PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class VisibleApp:
    """A visible app, and the ids under which its usage was seen: its own and its aliases'."""

    listing: Listing
    app_ids: tuple[int, ...]


class VisibleApps:
    """Finds the apps that may be shown, by what the catalog says at the moment; raises NotFilledError before a fill."""

    def __init__(self, rankings: Rankings) -> None:
        self._rankings = rankings

    def find(self, app_id: int) -> VisibleApp | None:
        """Return the visible app that an id leads to, its own or an alias's; None when there is none."""
        return self._rankings.read(lambda _, roster: _find(roster, app_id))

    def listings(self, app_ids: Iterable[int]) -> dict[int, Listing]:
        """Return those of these apps that may be shown, by id; aliases are not."""

        def read(roster: Roster) -> dict[int, Listing]:
            entries = ((app_id, roster.entry(app_id)) for app_id in app_ids)
            return {app_id: _listing(entry) for app_id, entry in entries if entry is not None and entry.visible}

        return self._rankings.read(lambda _, roster: read(roster))

    def aliases(self, app_id: int) -> tuple[Listing, ...]:
        """Return the public aliases of a visible app, by ascending id; none for an app that may not be shown."""

        def read(roster: Roster) -> tuple[Listing, ...]:
            found = roster.entry(app_id)
            if found is None or not found.visible:
                return ()
            entries = (roster.entry(alias) for alias in found.aliases)
            return tuple(_listing(entry) for entry in entries if entry is not None and entry.app.visibility == _PUBLIC)

        return self._rankings.read(lambda _, roster: read(roster))


def _find(roster: Roster, app_id: int) -> VisibleApp | None:
    asked = roster.entry(app_id)
    if asked is None or asked.app.visibility != _PUBLIC:
        return None
    root = roster.entry(asked.root_id)
    if root is None or not root.visible:
        return None
    return VisibleApp(_listing(root), (root.app.id, *root.aliases))


def _listing(entry: RosterEntry) -> Listing:
    app = entry.app
    first_seen = datetime.fromtimestamp(app.first_seen_ms // 1000, UTC)
    return Listing(app.id, app.name, app.url, entry.categories, first_seen)
