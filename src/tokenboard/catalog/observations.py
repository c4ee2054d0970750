"""What the drain reports to the catalog: which apps were seen, under which title, in which categories.

    batch ─▶ known apps (memory, else database) ─▶ new apps (within the limit) ─▶ each event ─▶ what changed, stored

The apps last seen are kept in memory. The counter ``writes`` says whether apps were changed otherwise since; then all
of it is forgotten and read again.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from tokenboard.attribution import AppIdentity, Reason
from tokenboard.catalog import folds, numbering, revisions
from tokenboard.catalog.app import Visibility, search_text, split_list
from tokenboard.catalog.app_state import AppState, Observation, Observed, TitlePolicy, Variant
from tokenboard.catalog.engine import Database
from tokenboard.catalog.schema import APP_TITLES, APPS

OBSERVATIONS_LIMIT = 10_000
"""Most observations of one call."""

MEMORY_LIMIT = 100_000
"""Most apps and title variants, together, that are kept in memory between calls: about 65 MB."""

DAY_MS = 86_400_000

_REFUSED = Observed(0, Reason.NEW_APP_LIMIT)
_CHUNK = 500


class Observations:
    """The observations' side of one catalog; calls from several threads take turns."""

    def __init__(
        self, database: Database, *, new_app_limit: int, policy: TitlePolicy, memory_limit: int = MEMORY_LIMIT
    ) -> None:
        self._database = database
        self._new_app_limit = new_app_limit
        self._policy = policy
        self._memory_limit = memory_limit
        self._known: dict[str, AppState] = {}
        self._weight = 0
        self._writes = -1
        self._turn = threading.Lock()

    def observe(self, observations: Sequence[Observation]) -> list[Observed]:
        """Take in a batch, in one transaction, and return one answer each, in order; see ``Catalog.observe``."""
        if len(observations) > OBSERVATIONS_LIMIT:
            raise ValueError(f"{len(observations)} observations in one call; at most {OBSERVATIONS_LIMIT} are allowed")
        if not observations:
            return []
        with self._turn:
            try:
                with self._database.writing() as connection:
                    answers, seen, writes = self._take_in(connection, observations)
            except BaseException:
                # What is in memory may be ahead of the database now.
                self._forget()
                raise
            self._writes = writes
            self._keep(seen)
            return answers

    def _take_in(
        self, connection: sa.Connection, observations: Sequence[Observation]
    ) -> tuple[list[Observed], dict[str, AppState], int]:
        writes = revisions.read(connection, "writes")
        if writes != self._writes:
            self._forget()
        known = self._known
        keys = [observation.identity.key for observation in observations]
        distinct = dict.fromkeys(keys)
        unknown = [key for key in distinct if key not in known]
        if unknown:
            known.update(_load(connection, unknown))
            self._make_apps(connection, {key for key in unknown if key not in known}, keys, observations)
        answers = []
        for key, observation in zip(keys, observations, strict=True):
            state = known.get(key)
            if state is None:
                answers.append(_REFUSED)
                continue
            state.observe(observation.title, observation.categories, observation.ts_ms, self._policy)
            answers.append(state.observed)
        seen = {key: known[key] for key in distinct if key in known}
        return answers, seen, _store(connection, list(seen.values()), writes)

    def _make_apps(
        self, connection: sa.Connection, missing: set[str], keys: list[str], observations: Sequence[Observation]
    ) -> None:
        """Make the missing apps that the limit admits, in order of their first admitted observation.

        All of a batch's apps are decided upon before any observation is answered, so that a repeated batch is answered
        alike.
        """
        if not missing:
            return
        made: dict[tuple[int, int], int] = {}
        hosts = {
            key: folds.host_of(observation.identity.url) for key, observation in zip(keys, observations, strict=True)
        }
        targets = _targets(connection, {host for key, host in hosts.items() if key in missing and host is not None})
        first_id = next_id = numbering.next_id(connection, "app_id")
        for key, observation in zip(keys, observations, strict=True):
            if key not in missing:
                continue
            maker = (observation.key_id, observation.received_ms // DAY_MS)
            if self._new_app_limit and observation.key_id:  # what the operator imports has no key, and no limit
                if maker not in made:
                    made[maker] = _made_by(connection, *maker)
                if made[maker] >= self._new_app_limit:
                    continue
                made[maker] += 1
            self._known[key] = AppState(
                next_id,
                observation.identity,
                observation.ts_ms,
                made_by=maker,
                folded_into=targets.get(hosts[key] or ""),
            )
            missing.remove(key)
            next_id += 1
        if next_id > first_id:
            numbering.taken(connection, "app_id", next_id - 1)

    def _keep(self, seen: dict[str, AppState]) -> None:
        """Put what was seen last in line to be forgotten; when it is too much, forget what was seen longest ago."""
        known = self._known
        for key, state in seen.items():
            weight = 1 + len(state.variants)
            self._weight += weight - state.weighed
            state.weighed = weight
            del known[key]
            known[key] = state
        while self._weight > self._memory_limit:
            oldest = known.pop(next(iter(known)))
            self._weight -= oldest.weighed

    def _forget(self) -> None:
        self._known.clear()
        self._weight = 0
        self._writes = -1


def _made_by(connection: sa.Connection, key_id: int, day: int) -> int:
    """Return how many apps a key has made on a UTC day."""
    made = sa.select(sa.func.count()).select_from(APPS)
    return int(connection.execute(made.where(APPS.c.created_day == day, APPS.c.created_key_id == key_id)).scalar_one())


def _targets(connection: sa.Connection, hosts: Iterable[str]) -> dict[str, int]:
    """Return the apps into which those of the hosts that are folded are folded."""
    found: dict[str, int] = {}
    for chunk in _chunks(list(hosts)):
        found.update(folds.targets(connection, chunk))
    return found


def _load(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AppState]:
    """Return those of the apps that the database has."""
    found: dict[str, AppState] = {}
    for chunk in _chunks(keys):
        rows = connection.execute(sa.select(APPS).where(APPS.c.identity.in_(chunk))).all()
        by_id = {row.id: _app_state(row) for row in rows}
        titles = sa.select(APP_TITLES).where(APP_TITLES.c.app_id.in_(list(by_id)))
        for app_id, title, first_seen_ms, last_seen_ms in connection.execute(titles) if by_id else ():
            by_id[app_id].variants[title] = Variant(first_seen_ms, last_seen_ms, stored=True)
        for state in by_id.values():
            if state.header_title in state.variants:
                state.header_at = state.variants[state.header_title].last_seen_ms
            found[state.identity.key] = state
    return found


def _app_state(row: sa.Row[Any]) -> AppState:
    return AppState(
        app_id=row.id,
        identity=AppIdentity.from_key(row.identity),
        first_seen_ms=row.first_seen_ms,
        header_title=row.header_title,
        header_categories=split_list(row.header_categories),
        pinned_name=row.pinned_name,
        pinned_categories=None if row.pinned_categories is None else split_list(row.pinned_categories),
    )


def _store(connection: sa.Connection, seen: Iterable[AppState], writes: int) -> int:
    """Store what the observations changed and return the counter ``writes`` as it is then."""
    changed = [state for state in seen if state.changed]
    if not changed:
        return writes
    new = [state for state in changed if state.made_by is not None]
    old = [state for state in changed if state.made_by is None and state.row != state.stored]
    shown = [state for state in old if state.visible != state.published]
    revision = revisions.bump(connection, "apps") if new or shown else 0
    moved = [(state, title, state.variants[title]) for state in changed for title in state.moved]
    for statement, rows in (
        (_INSERT_APP, [_new_row(state, revision) for state in new]),
        (_UPDATE_APP, [_row(state) for state in old]),
        (_STAMP_APP, [{"of": state.app_id, "stamp": revision} for state in shown]),
        (_DELETE_TITLE, [{"of": state.app_id, "named": title} for state in changed for title in state.gone]),
        (_INSERT_TITLE, [_title(*one) for one in moved if not one[2].stored]),
        (_UPDATE_TITLE, [_title(*one) for one in moved if one[2].stored]),
    ):
        if rows:
            connection.execute(statement, rows)
    for state in changed:
        state.settle()
    return revisions.bump(connection, "writes")


def _row(state: AppState) -> dict[str, Any]:
    """Return what observations can change of a stored row."""
    name = state.name
    return {
        "of": state.app_id,
        "name": name,
        "header_title": state.header_title,
        "header_categories": ",".join(state.header_categories),
        "first_seen_ms": state.first_seen_ms,
        "search": search_text(state.identity.key, name),
    }


def _new_row(state: AppState, revision: int) -> dict[str, Any]:
    """Return the whole row of a new app."""
    created_key_id, created_day = state.made_by or (0, 0)
    return {
        "id": state.app_id,
        "identity": state.identity.key,
        "url": state.identity.url,
        "name": state.name,
        "header_title": state.header_title,
        "header_categories": ",".join(state.header_categories),
        "first_seen_ms": state.first_seen_ms,
        "search": search_text(state.identity.key, state.name),
        "visibility": str(Visibility.PUBLIC),
        "canonical_id": state.folded_into,
        "alias_pinned": False,
        "created_key_id": created_key_id,
        "created_day": created_day,
        "revision": revision,
    }


def _title(state: AppState, title: str, variant: Variant) -> dict[str, Any]:
    return {"of": state.app_id, "named": title, "first": variant.first_seen_ms, "last": variant.last_seen_ms}


_OF_APP: sa.BindParameter[int] = sa.bindparam("of")
_OF_TITLE = (APP_TITLES.c.app_id == _OF_APP, APP_TITLES.c.title == sa.bindparam("named"))
_TITLE_TIMES: dict[str, sa.BindParameter[int]] = {
    "first_seen_ms": sa.bindparam("first"),
    "last_seen_ms": sa.bindparam("last"),
}
_INSERT_APP = sa.insert(APPS)
_UPDATE_APP = sa.update(APPS).where(APPS.c.id == _OF_APP)
_STAMP_APP = _UPDATE_APP.values(revision=sa.bindparam("stamp"))
_DELETE_TITLE = sa.delete(APP_TITLES).where(*_OF_TITLE)
_INSERT_TITLE = sa.insert(APP_TITLES).values(app_id=_OF_APP, title=sa.bindparam("named"), **_TITLE_TIMES)
_UPDATE_TITLE = sa.update(APP_TITLES).where(*_OF_TITLE).values(_TITLE_TIMES)


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Divide the keys so that a statement has few enough parameters for every database."""
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
