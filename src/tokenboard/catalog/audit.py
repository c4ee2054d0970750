"""The audit log: who changed what, when, from what to what. Entries are never changed but to note what undid them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from tokenboard.catalog import revisions
from tokenboard.catalog.apps import MAX_ID, check_page
from tokenboard.catalog.errors import UnknownEntry
from tokenboard.catalog.schema import AUDIT


class Field(StrEnum):
    """What an action changes. Each field of an app has a history of its own."""

    ALIAS = "alias"
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

    ``undoes`` is the entry this one undid, ``undone_by`` the entry that undid this one.
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


def log(connection: sa.Connection, limit: int, offset: int) -> tuple[AuditEntry, ...]:
    """Return a page of the log, the newest first; raises InvalidValue."""
    check_page(limit, offset)
    rows = connection.execute(sa.select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit).offset(offset))
    return tuple(_read(row) for row in rows)


def history(connection: sa.Connection, app_id: int, field: Field) -> tuple[AuditEntry, ...]:
    """Return all entries about one field of one app, the oldest first."""
    rows = connection.execute(
        sa.select(AUDIT).where(AUDIT.c.app_id == app_id, AUDIT.c.field == str(field)).order_by(AUDIT.c.id)
    )
    return tuple(_read(row) for row in rows)


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
    )
