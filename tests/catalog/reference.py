"""The catalog as slow, obvious dictionaries: what observations, actions and undo should come to."""

from typing import Any

from tokenboard.attribution import merge_categories
from tokenboard.catalog import App, Observation, Visibility
from tokenboard.catalog.observations import DAY_MS


class Refused(Exception):
    """The catalog should refuse this."""


class Reference:
    """Apps by id, a log of what was done, and the rules written out one event at a time."""

    def __init__(self, *, limit: int, policy: str, variants: int) -> None:
        self.limit = limit
        self.policy = policy
        self.variants = variants
        self.apps: dict[int, dict[str, Any]] = {}
        self.folds: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []

    def observe(self, batch: list[Observation]) -> list[int]:
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
                    "alias": None,
                }
        for one in batch:
            if self._id(one):
                self._see(self.apps[self._id(one)], one)
        return [self._id(one) for one in batch]

    def _id(self, one: Observation) -> int:
        return next((number for number, app in self.apps.items() if app["identity"] == one.identity), 0)

    def _see(self, app: dict[str, Any], one: Observation) -> None:
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
        """Do one action: set one column of one app. ``alias`` is what an operator said: ``to`` an app, or ``apart``."""
        if app_id not in self.apps:
            raise Refused
        if action == "merge":
            if value not in self.apps:
                raise Refused
            self._refuse_ring(app_id, value)
            value = ("to", value)
        if action == "unmerge":
            if self.canonical_of(app_id) is None:
                raise Refused
            value = None if self._rule(app_id) is None else ("apart",)
        self._set(self.apps, app_id, column, value, None)

    def fold(self, host: str, into: int | None) -> None:
        """Fold a host's apps into one."""
        here = self._under(host)
        if into is None and not here:
            raise Refused
        if into is None:
            root = [number for number in here if self.apps[number]["identity"].url == host]
            free = [number for number in here if self.canonical_of(number) is None]
            into = (root or sorted(free or here, key=lambda number: (self.apps[number]["first_seen_ms"], number)))[0]
            while (onward := self.canonical_of(into)) is not None:
                into = onward
        if into not in self.apps:
            raise Refused
        was = self.folds.get(host, {"into": None})
        self.folds[host] = {"into": into}
        try:
            self._refuse_ring(into, self.canonical_of(into))
        except Refused:
            self.folds[host] = was
            raise
        self.folds[host] = was
        self._set(self.folds, host, "into", into, None)

    def unfold(self, host: str) -> None:
        """Take a host's rule away."""
        if self.folds.get(host, {"into": None})["into"] is None:
            raise Refused
        self._set(self.folds, host, "into", None, None)

    def canonical_of(self, app_id: int) -> int | None:
        """Where an app points: as an operator said, else by the rule of its host."""
        alias = self.apps[app_id]["alias"]
        if alias is None:
            return self._rule(app_id)
        return alias[1] if alias[0] == "to" else None

    def _rule(self, app_id: int) -> int | None:
        for host, rule in self.folds.items():
            if app_id in self._under(host) and rule["into"] != app_id:
                return rule["into"]  # type: ignore[no-any-return]
        return None

    def _under(self, host: str) -> list[int]:
        return [
            number
            for number, app in self.apps.items()
            if app["identity"].url == host or app["identity"].url.startswith(host + "/")
        ]

    def _refuse_ring(self, app_id: int, target: int | None) -> None:
        while target is not None:
            if target == app_id:
                raise Refused
            target = self.canonical_of(target)

    def undo(self, number: int) -> None:
        """Undo the entry of this number, counted from 1."""
        if not 1 <= number <= len(self.log):
            raise Refused
        entry = self.log[number - 1]
        if not entry["changed"] or entry["undone"]:
            raise Refused
        mine = [one for one in self.log if (one["of"], one["column"]) == (entry["of"], entry["column"])]
        mine = [one for one in mine if one["changed"]]
        if entry["is_undo"]:
            allowed = mine[-1] is entry
        else:
            allowed = [one for one in mine if not one["is_undo"] and not one["undone"]][-1] is entry
        if not allowed:
            raise Refused
        table = self.folds if entry["column"] == "into" else self.apps
        if table is self.folds and any(
            one["column"] == "alias" and one["of"] in self._under(entry["of"]) and self._in_force(one)
            for one in self.log[number:]
        ):
            raise Refused
        ring = entry["before"] if table is self.folds else entry["of"]
        now = table[entry["of"]][entry["column"]]
        table[entry["of"]][entry["column"]] = entry["before"]
        try:
            if ring is not None and entry["column"] in {"alias", "into"}:
                self._refuse_ring(ring, self.canonical_of(ring))
        finally:
            table[entry["of"]][entry["column"]] = now
        entry["undone"] = True
        self._set(table, entry["of"], entry["column"], entry["before"], entry)

    @staticmethod
    def _in_force(entry: dict[str, Any]) -> bool:
        return entry["changed"] and not entry["is_undo"] and not entry["undone"]

    def _set(self, table: dict[Any, dict[str, Any]], of: Any, column: str, value: Any, undone: Any) -> None:
        row = table.setdefault(of, {column: None})
        self.log.append(
            {
                "of": of,
                "column": column,
                "before": row[column],
                "changed": row[column] != value,
                "is_undo": undone is not None and not undone["is_undo"],
                "undone": False,
            }
        )
        row[column] = value

    def shown(self) -> dict[int, dict[str, Any]]:
        """What readers see of each app."""
        return {
            number: {
                "identity": app["identity"],
                "name": app["pinned_name"] or app["title"] or app["identity"].display_name,
                "pinned": app["pinned_name"] is not None,
                "visibility": app["visibility"],
                "canonical_id": self.canonical_of(number),
                "alias_pinned": app["alias"] is not None,
                "categories": app["categories"] if app["pinned_categories"] is None else app["pinned_categories"],
                "categories_pinned": app["pinned_categories"] is not None,
                "first_seen_ms": app["first_seen_ms"],
            }
            for number, app in self.apps.items()
        }


def shown(app: App) -> dict[str, Any]:
    """What readers see of an app, to be compared."""
    names = "identity name pinned visibility canonical_id alias_pinned categories categories_pinned first_seen_ms"
    return {name: getattr(app, name) for name in names.split()}
