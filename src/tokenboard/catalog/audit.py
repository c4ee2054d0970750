"""The audit log: who changed what, when, from what to what. Entries are never changed but to note what undid them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from tokenboard.catalog import revisions
from tokenboard.catalog.apps import MAX_ID, check_page, row_of
from tokenboard.catalog.errors import UnknownEntry
from tokenboard.catalog.schema import APPS, AUDIT


class Field(StrEnum):
    """What an action changes. Each field of an app has a history of its own, and each host's fold."""

    ALIAS = "alias"
    FOLD = "fold"
    NAME = "name"
    VISIBILITY = "visibility"
    CATEGORIES = "categories"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts, and when (UTC epoch ms)."""

    actor: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action. ``before`` and ``after`` hold the field's value as JSON values; equal ones mean it changed nothing.

    ``undoes`` is the entry this one undid, ``undone_by`` the entry that undid this one. An entry about a fold names
    in ``app_id`` the app that the host was folded into.
    """

    id: int
    at_ms: int
    actor: str
    action: str
    field: Field
    app_id: int | None
    key_id: int | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    undoes: int | None
    undone_by: int | None
    fold_id: int | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of the log, the newest first; ``total`` counts all entries of that kind."""

    total: int
    entries: tuple[AuditEntry, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """A history as a stack: a change is put on top, an undo takes the top off, undoing that undo puts it on again.

    ``in_force`` are the entries on it, the latest last; ``removals`` the undos that took one off; ``last`` is the
    latest entry of all that changed anything, 0 for none.
    """

    in_force: tuple[int, ...]
    removals: frozenset[int]
    last: int

    @property
    def top(self) -> int | None:
        """The latest change in force."""
        return self.in_force[-1] if self.in_force else None

    def latest_for(self, entry_id: int) -> int:
        """Return what has to be undone before this entry of the history, itself when it is next in line."""
        return self.last if entry_id in self.removals else self.in_force[-1]


def stack_of(entries: Iterable[AuditEntry]) -> Stack:
    """Return what the entries about one field, the oldest first, come to; those that changed nothing are left out."""
    in_force: list[int] = []
    removals: set[int] = set()
    last = 0
    for each in entries:
        if each.before == each.after:
            continue
        last = each.id
        if each.undoes is not None and each.undoes not in removals:
            removals.add(each.id)
            in_force.pop()
        else:
            in_force.append(each.id)
    return Stack(tuple(in_force), frozenset(removals), last)


def record(
    connection: sa.Connection,
    act: Act,
    action: str,
    field: Field,
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    app_id: int | None = None,
    key_id: int | None = None,
    fold_id: int | None = None,
    undoes: int | None = None,
) -> AuditEntry:
    """Append an entry and return it. Only in a writing transaction, the one that makes the change."""
    entry = AuditEntry(
        id=revisions.next_id(connection, AUDIT),
        at_ms=act.at_ms,
        actor=act.actor,
        action=action,
        field=field,
        app_id=app_id,
        key_id=key_id,
        before=dict(before),
        after=dict(after),
        undoes=undoes,
        undone_by=None,
        fold_id=fold_id,
    )
    connection.execute(
        sa.insert(AUDIT),
        {
            "id": entry.id,
            "at_ms": entry.at_ms,
            "actor": entry.actor,
            "action": entry.action,
            "field": str(entry.field),
            "app_id": entry.app_id,
            "key_id": entry.key_id,
            "fold_id": entry.fold_id,
            "before": entry.before,
            "after": entry.after,
            "undoes": entry.undoes,
        },
    )
    if undoes is not None:
        connection.execute(sa.update(AUDIT).where(AUDIT.c.id == undoes).values(undone_by=entry.id))
    return entry


def entry(connection: sa.Connection, audit_id: int) -> AuditEntry:
    """Return one entry; raises UnknownEntry."""
    row = connection.execute(sa.select(AUDIT).where(AUDIT.c.id == audit_id)).first() if 0 < audit_id <= MAX_ID else None
    if row is None:
        raise UnknownEntry(f"the audit log has no entry {audit_id}")
    return _read(row)


def log(connection: sa.Connection, limit: int, offset: int, app_id: int | None = None) -> AuditPage:
    """Return a page of the log, of one app's entries or of all; raises UnknownApp, InvalidValue."""
    check_page(limit, offset)
    if app_id is not None:
        row_of(connection, app_id)
    wanted = [] if app_id is None else [AUDIT.c.app_id == app_id]
    total = connection.execute(sa.select(sa.func.count()).select_from(AUDIT).where(*wanted)).scalar_one()
    rows = connection.execute(sa.select(AUDIT).where(*wanted).order_by(AUDIT.c.id.desc()).limit(limit).offset(offset))
    return AuditPage(total, tuple(_read(row) for row in rows))


def history(connection: sa.Connection, app_id: int, field: Field) -> tuple[AuditEntry, ...]:
    """Return all entries about one field of one app, the oldest first."""
    rows = connection.execute(
        sa.select(AUDIT).where(AUDIT.c.app_id == app_id, AUDIT.c.field == str(field)).order_by(AUDIT.c.id)
    )
    return tuple(_read(row) for row in rows)


def fold_history(connection: sa.Connection, fold_id: int) -> tuple[AuditEntry, ...]:
    """Return all entries about one host's fold, the oldest first."""
    rows = connection.execute(sa.select(AUDIT).where(AUDIT.c.fold_id == fold_id).order_by(AUDIT.c.id))
    return tuple(_read(row) for row in rows)


def alias_histories(
    connection: sa.Connection, apps: sa.ColumnElement[bool], after: int
) -> Mapping[int, tuple[AuditEntry, ...]]:
    """Return, by app, all entries about whose alias it is, of the apps that have one later than entry ``after``."""
    about = sa.select(AUDIT.c.app_id).where(AUDIT.c.field == str(Field.ALIAS), AUDIT.c.id > after)
    ids = connection.execute(sa.select(APPS.c.id).where(apps, APPS.c.id.in_(about)).order_by(APPS.c.id)).scalars()
    return {app_id: history(connection, app_id, Field.ALIAS) for app_id in ids}


def _read(row: sa.Row[Any]) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at_ms=row.at_ms,
        actor=row.actor,
        action=row.action,
        field=Field(row.field),
        app_id=row.app_id,
        key_id=row.key_id,
        before=row.before,
        after=row.after,
        undoes=row.undoes,
        undone_by=row.undone_by,
        fold_id=row.fold_id,
    )
