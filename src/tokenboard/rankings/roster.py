"""The roster: which app's usage counts for which, who may be shown, and under which categories, by app id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenboard.attribution import GROUPS, merge_categories
from tokenboard.rankings.sources import AppRow

_PUBLIC = "public"
_BITS = {name: 1 << place for place, name in enumerate(name for names in GROUPS.values() for name in names)}


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One app and its place: ``root_id`` is the app its usage counts for, itself when it is no alias.

    ``visible`` is true for a public app that is no alias: only such an app may be shown. ``categories`` are the
    effective ones, its own and then those of its ``aliases``, whose ids ascend; an alias has neither.
    """

    app: AppRow
    root_id: int
    visible: bool
    categories: tuple[str, ...]
    aliases: tuple[int, ...]


class Roster:
    """All apps of the catalog, kept up to date from its changes; not thread-safe.

    Aliases are resolved to the end of their chain. A link to an app that is not there, and links that form a ring,
    count as no link, so no usage is lost to a broken one. Arrays are indexed by app id; id 0, unattributed
    traffic, is never visible.
    """

    def __init__(self) -> None:
        self._apps: dict[int, AppRow] = {}
        self._links: dict[int, int] = {}
        self._dangling: frozenset[int] = frozenset()
        self._roots: dict[int, int] = {}
        self._aliases: dict[int, tuple[int, ...]] = {}
        self._alias_ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._alias_roots: NDArray[np.int64] = np.zeros(0, np.int64)
        self._width = 1
        self._visible: NDArray[np.bool_] = np.zeros(1, np.bool_)
        self._categories: NDArray[np.int32] = np.zeros(1, np.int32)

    @property
    def width(self) -> int:
        """The highest app id known, plus 1."""
        return self._width

    def update(self, apps: Iterable[AppRow]) -> bool:
        """Take over these apps as they now are; whether any of them differs from what was known.

        Takes time in proportion to these apps, and to all aliases when a link changed. Raises ValueError, before
        anything is changed, for an id that is not positive.
        """
        changed = [app for app in apps if self._apps.get(app.id) != app]
        if not changed:
            return False
        if any(app.id < 1 for app in changed):
            raise ValueError("an app id is not positive")
        self._grow(max(app.id for app in changed) + 1)
        relink = False
        stale: set[int] = set()
        for app in changed:
            relink |= app.canonical_id != self._links.get(app.id) or app.id in self._dangling
            self._apps[app.id] = app
            if app.canonical_id is None:
                self._links.pop(app.id, None)
            else:
                self._links[app.id] = app.canonical_id
            stale.update((app.id, self.root_of(app.id)))
        if relink:
            before = self._roots
            self._relink()
            for alias_and_root in before.items() ^ self._roots.items():
                stale.update(alias_and_root)
        for app_id in stale:
            self._place(app_id)
        return True

    def apps(self) -> dict[int, AppRow]:
        """Every app of the catalog by its id, aliases and hidden ones included: a copy."""
        return dict(self._apps)

    def entry(self, app_id: int) -> RosterEntry | None:
        """What is known of an app; None when the catalog has none of this id."""
        app = self._apps.get(app_id)
        if app is None:
            return None
        return RosterEntry(
            app=app,
            root_id=self.root_of(app_id),
            visible=bool(self._visible[app_id]),
            categories=self._effective_categories(app_id),
            aliases=self._aliases.get(app_id, ()),
        )

    def name_of(self, app_id: int) -> str:
        """An app's display name; raises KeyError for an unknown id."""
        return self._apps[app_id].name

    def url_of(self, app_id: int) -> str:
        """An app's canonical URL; raises KeyError for an unknown id."""
        return self._apps[app_id].url

    def categories_of(self, app_id: int) -> tuple[str, ...]:
        """An app's effective categories, as in `RosterEntry`; raises KeyError for an unknown id."""
        return self._effective_categories(app_id)

    def root_of(self, app_id: int) -> int:
        """The app that this one's usage counts for: itself unless it is an alias."""
        return self._roots.get(app_id, app_id)

    def visible(self, width: int) -> NDArray[np.bool_]:
        """For each app id below ``width`` whether it is public and no alias. Not to be written to."""
        return _fit(self._visible, width)

    def is_visible(self, app_id: int) -> bool:
        """Whether the app may be shown: known, public and no alias."""
        return 0 < app_id < self._width and bool(self._visible[app_id])

    def roots(self, width: int) -> NDArray[np.int64]:
        """For each app id below ``width``, at least the roster's, the app its usage counts for: a new array."""
        roots = np.arange(width)
        roots[self._alias_ids] = self._alias_roots
        return roots

    def members(self, roots: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """The ids whose usage counts for one of ``roots``, each root first of its own, and that one's place there."""
        ids = [(app_id, self._aliases.get(app_id, ())) for app_id in roots]
        found = np.array([member for app_id, aliases in ids for member in (app_id, *aliases)], np.int64)
        return found, np.repeat(np.arange(len(ids)), [1 + len(aliases) for _, aliases in ids])

    def in_category(self, category: str | None, subcategory: str | None, width: int) -> NDArray[np.bool_]:
        """For each app id below ``width`` whether its categories hold ``subcategory``, or else any of the group's.

        Raises KeyError for an unknown name; with neither given every app qualifies.
        """
        if subcategory is not None:
            bits = _BITS[subcategory]
        elif category is not None:
            bits = sum(_BITS[name] for name in GROUPS[category])
        else:
            return np.ones(width, np.bool_)
        held: NDArray[np.bool_] = (_fit(self._categories, width) & bits) != 0
        return held

    def fold(self, figures: NDArray[Any]) -> None:
        """Move the figures of each alias to its root, in place; ``figures``, by app id, is at least ``width`` long."""
        if self._alias_ids.size:
            moved = figures[self._alias_ids]
            figures[self._alias_ids] = 0
            np.add.at(figures, self._alias_roots, moved)

    def _grow(self, width: int) -> None:
        if width > self._visible.size:
            room = max(width, self._visible.size * 3 // 2)
            self._visible = _fit(self._visible, room)
            self._categories = _fit(self._categories, room)
        self._width = max(self._width, width)

    def _relink(self) -> None:
        links = {app_id: target for app_id, target in self._links.items() if target in self._apps}
        self._dangling = frozenset(self._links.values()) - self._apps.keys()
        self._roots = {app_id: root for app_id, root in resolve_links(links).items() if app_id != root}
        aliases: dict[int, list[int]] = {}
        for app_id in sorted(self._roots):
            aliases.setdefault(self._roots[app_id], []).append(app_id)
        self._aliases = {root: tuple(ids) for root, ids in aliases.items()}
        self._alias_ids = np.array(list(self._roots), np.int64)
        self._alias_roots = np.array(list(self._roots.values()), np.int64)

    def _place(self, app_id: int) -> None:
        self._visible[app_id] = self._apps[app_id].visibility == _PUBLIC and app_id not in self._roots
        self._categories[app_id] = sum(_BITS.get(name, 0) for name in set(self._effective_categories(app_id)))

    def _effective_categories(self, app_id: int) -> tuple[str, ...]:
        categories = self._apps[app_id].categories
        if app_id in self._roots:
            return ()
        for alias in self._aliases.get(app_id, ()):
            categories = tuple(merge_categories(categories, self._apps[alias].categories))
        return categories


def resolve_links(links: Mapping[int, int]) -> dict[int, int]:
    """For each key of ``links`` the end of its chain of links; each member of a ring is its own end.

    A chain that leads into a ring ends at the member it meets first. Takes time in proportion to the links.
    """
    ends: dict[int, int] = {}
    for start in links:
        trail: list[int] = []
        places: dict[int, int] = {}
        here = start
        while here in links and here not in ends and here not in places:
            places[here] = len(trail)
            trail.append(here)
            here = links[here]
        if here in places:
            ring = trail[places[here] :]
            ends.update((member, member) for member in ring)
            trail = trail[: places[here]]
        end = ends.get(here, here)
        ends.update((member, end) for member in trail)
    return ends


def _fit(array: NDArray[Any], width: int) -> NDArray[Any]:
    if array.size >= width:
        return array[:width]
    wider = np.zeros(width, array.dtype)
    wider[: array.size] = array
    return wider
