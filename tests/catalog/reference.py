"""The catalog as slow, obvious dictionaries: what sightings, actions and undo should come to."""

from typing import Any

from tokenboard.attribution import merge_categories
from tokenboard.catalog import App, Sighting, Visibility
from tokenboard.catalog.sightings import DAY_MS


class Refused(Exception):
    """The catalog should refuse this."""


class Reference:
    """Apps by id, a log of what was done, and the rules written out one event at a time."""

    def __init__(self, *, limit: int, policy: str, variants: int) -> None:
        self.limit = limit
        self.policy = policy
        self.variants = variants
        self.apps: dict[int, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []

    def sight(self, batch: list[Sighting]) -> list[int]:
        for one in batch:
            maker = (one.key_id, one.received_ms // DAY_MS)
            made = sum(app["maker"] == maker for app in self.apps.values())
            if not self._id(one) and made < self.limit:
                self.apps[len(self.apps) + 1] = {
                    "identity": one.identity,
                    "maker": maker,
                    "first_seen_ms": one.ts_ms,
                    "titles": {},
                    "title": None,
                    "title_at": None,
                    "pinned_name": None,
                    "categories": (),
                    "pinned_categories": None,
                    "visibility": Visibility.PUBLIC,
                    "canonical_id": None,
                }
        for one in batch:
            if self._id(one):
                self._see(self.apps[self._id(one)], one)
        return [self._id(one) for one in batch]

    def _id(self, one: Sighting) -> int:
        return next((number for number, app in self.apps.items() if app["identity"] == one.identity), 0)

    def _see(self, app: dict[str, Any], one: Sighting) -> None:
        app["first_seen_ms"] = min(app["first_seen_ms"], one.ts_ms)
        app["categories"] = merge_categories(app["categories"], one.categories)
        if one.title is None:
            return
        first, last = app["titles"].get(one.title, (one.ts_ms, one.ts_ms))
        app["titles"][one.title] = (min(first, one.ts_ms), max(last, one.ts_ms))
        if app["title"] is None or (self.policy == "latest" and one.ts_ms >= app["title_at"]):
            app["title"], app["title_at"] = one.title, one.ts_ms
        if len(app["titles"]) > self.variants:
            del app["titles"][
                min((last, title) for title, (_, last) in app["titles"].items() if title != app["title"])[1]
            ]

    def act(self, action: str, app_id: int, column: str, value: Any) -> None:
        """Do one action: set one column of one app."""
        if app_id not in self.apps:
            raise Refused
        if action in {"merge", "unmerge"}:
            self._check_pointer(action, app_id, value)
        self._set(app_id, column, value, None)

    def _check_pointer(self, action: str, app_id: int, target: int | None) -> None:
        if action == "unmerge" and self.apps[app_id]["canonical_id"] is None:
            raise Refused
        if action == "merge" and target not in self.apps:
            raise Refused
        self._refuse_ring(app_id, target)

    def _refuse_ring(self, app_id: int, target: int | None) -> None:
        while target is not None:
            if target == app_id:
                raise Refused
            target = self.apps[target]["canonical_id"]

    def undo(self, number: int) -> None:
        """Undo the entry of this number, counted from 1."""
        if not 1 <= number <= len(self.log):
            raise Refused
        entry = self.log[number - 1]
        mine = [one for one in self.log if (one["app_id"], one["column"]) == (entry["app_id"], entry["column"])]
        mine = [one for one in mine if one["changed"]]
        if not entry["changed"] or entry["undone"]:
            raise Refused
        if entry["is_undo"]:
            allowed = mine[-1] is entry
        else:
            allowed = [one for one in mine if not one["is_undo"] and not one["undone"]][-1] is entry
        if not allowed:
            raise Refused
        if entry["column"] == "canonical_id":
            self._refuse_ring(entry["app_id"], entry["before"])
        entry["undone"] = True
        self._set(entry["app_id"], entry["column"], entry["before"], entry)

    def _set(self, app_id: int, column: str, value: Any, undone: dict[str, Any] | None) -> None:
        app = self.apps[app_id]
        self.log.append(
            {
                "app_id": app_id,
                "column": column,
                "before": app[column],
                "changed": app[column] != value,
                "is_undo": undone is not None and not undone["is_undo"],
                "undone": False,
            }
        )
        app[column] = value

    def shown(self) -> dict[int, dict[str, Any]]:
        """What readers see of each app."""
        return {
            number: {
                "identity": app["identity"],
                "name": app["pinned_name"] or app["title"] or app["identity"].display_name,
                "pinned": app["pinned_name"] is not None,
                "visibility": app["visibility"],
                "canonical_id": app["canonical_id"],
                "categories": app["categories"] if app["pinned_categories"] is None else app["pinned_categories"],
                "categories_pinned": app["pinned_categories"] is not None,
                "first_seen_ms": app["first_seen_ms"],
            }
            for number, app in self.apps.items()
        }


def shown(app: App) -> dict[str, Any]:
    """What readers see of an app, to be compared."""
    names = "identity name pinned visibility canonical_id categories categories_pinned first_seen_ms"
    return {name: getattr(app, name) for name in names.split()}
