"""What an operator does to an app: merge, rename, hide, categorize, and undo. Each is one entry of the audit log.

Every action changes one field of one app. What headers say is kept beside what an operator pinned, so taking a pin
back shows what the headers have come to meanwhile. An action that finds its result already there is logged and
changes nothing. Every function works inside a writing transaction of its caller.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from tokenboard.attribution import CATEGORIES, MAX_APP_CATEGORIES, AppIdentity
from tokenboard.catalog import revisions
from tokenboard.catalog.app import Visibility, search_text, shown_name, split_list
from tokenboard.catalog.apps import leads_to, row_of
from tokenboard.catalog.audit import Act, AuditEntry, Field, entry, history, record
from tokenboard.catalog.errors import InvalidValue, MergeRefused, UndoRefused
from tokenboard.catalog.label import clean_label
from tokenboard.catalog.schema import APPS


def merge(connection: sa.Connection, act: Act, alias_id: int, canonical_id: int) -> AuditEntry:
    """Make one app an alias of another, or point an alias elsewhere.

    Raises:
        UnknownApp: one of them does not exist.
        MergeRefused: they are the same, or the canonical one leads to the alias.

    """
    alias = row_of(connection, alias_id)
    canonical = row_of(connection, canonical_id)
    if alias_id == canonical_id:
        raise MergeRefused(f"app {alias_id} cannot be an alias of itself")
    if leads_to(connection, canonical_id, alias_id):
        raise MergeRefused(
            f"app {canonical_id} ({canonical.name}) already leads to app {alias_id} ({alias.name}): "
            "each would be the other's alias"
        )
    return _change(connection, act, "merge", alias, field=Field.ALIAS, columns={"canonical_id": canonical_id})


def unmerge(connection: sa.Connection, act: Act, alias_id: int) -> AuditEntry:
    """Make an alias an app of its own again; raises UnknownApp, MergeRefused when it is no alias."""
    alias = row_of(connection, alias_id)
    if alias.canonical_id is None:
        raise MergeRefused(f"app {alias_id} ({alias.name}) is not an alias")
    return _change(connection, act, "unmerge", alias, field=Field.ALIAS, columns={"canonical_id": None})


def rename(connection: sa.Connection, act: Act, app_id: int, name: str) -> AuditEntry:
    """Set and pin the name; raises UnknownApp, InvalidValue."""
    columns = {"pinned_name": clean_label(name, "the name")}
    return _change(connection, act, "rename", row_of(connection, app_id), field=Field.NAME, columns=columns)


def unpin(connection: sa.Connection, act: Act, app_id: int) -> AuditEntry:
    """Let the headers name the app again; raises UnknownApp."""
    return _change(
        connection, act, "unpin", row_of(connection, app_id), field=Field.NAME, columns={"pinned_name": None}
    )


def set_visibility(connection: sa.Connection, act: Act, app_id: int, visibility: Visibility) -> AuditEntry:
    """Show the app to everybody, hide it, or make it private; raises UnknownApp."""
    columns = {"visibility": str(visibility)}
    return _change(
        connection, act, _SHOWING[visibility], row_of(connection, app_id), field=Field.VISIBILITY, columns=columns
    )


def categorize(connection: sa.Connection, act: Act, app_id: int, categories: Iterable[str]) -> AuditEntry:
    """Set and pin the categories, in this order, none being allowed; raises UnknownApp, InvalidValue."""
    chosen = tuple(dict.fromkeys(categories))
    unknown = [category for category in chosen if category not in CATEGORIES]
    if unknown:
        raise InvalidValue(
            f"not a category: {unknown[0][:50]!r}", hint=f"The categories: {', '.join(sorted(CATEGORIES))}"
        )
    if len(chosen) > MAX_APP_CATEGORIES:
        raise InvalidValue(f"{len(chosen)} categories; an app has at most {MAX_APP_CATEGORIES}")
    columns = {"pinned_categories": ",".join(chosen)}
    return _change(connection, act, "categorize", row_of(connection, app_id), field=Field.CATEGORIES, columns=columns)


def uncategorize(connection: sa.Connection, act: Act, app_id: int) -> AuditEntry:
    """Let the headers give the app's categories again; raises UnknownApp."""
    columns = {"pinned_categories": None}
    return _change(connection, act, "uncategorize", row_of(connection, app_id), field=Field.CATEGORIES, columns=columns)


def undo(connection: sa.Connection, act: Act, audit_id: int) -> AuditEntry:
    """Put a field back to what it was before an entry. An undo may be undone in turn, while nothing followed it.

    Raises:
        UnknownEntry: no such entry.
        UndoRefused: it changed nothing, is undone already, concerns a key, is not the field's latest change still in
            force, or going back would close a ring of aliases.

    """
    target = entry(connection, audit_id)
    if target.app_id is None:
        raise UndoRefused(f"entry {audit_id} ({target.action}) concerns a key, which cannot be undone", hint=_KEY_HINT)
    if target.before == target.after:
        raise UndoRefused(f"entry {audit_id} ({target.action}) changed nothing", hint="There is nothing to undo.")
    if target.undone_by is not None:
        raise UndoRefused(
            f"entry {audit_id} ({target.action}) was undone by entry {target.undone_by}",
            hint=f"To have it again, undo entry {target.undone_by}, or do the action again.",
        )
    _refuse_if_built_upon(target, history(connection, target.app_id, target.field))
    app = row_of(connection, target.app_id)
    if any(app._mapping[column] != value for column, value in _columns(target.field, target.after).items()):
        raise UndoRefused(f"the {target.field} of app {app.id} is no longer what entry {audit_id} made it")
    columns = _columns(target.field, target.before)
    canonical_id = columns.get("canonical_id")
    if canonical_id is not None and leads_to(connection, canonical_id, app.id):
        raise UndoRefused(
            f"app {canonical_id} leads to app {app.id} by now: each would be the other's alias",
            hint=f"Unmerge app {canonical_id} first.",
        )
    return _change(connection, act, "undo", app, field=target.field, columns=columns, undoes=target.id)


_SHOWING = {Visibility.PUBLIC: "publish", Visibility.HIDDEN: "hide", Visibility.PRIVATE: "set_private"}
_KEY_HINT = "Revoke a key you do not want; create a new one instead of a revoked one."


def _refuse_if_built_upon(target: AuditEntry, entries: Iterable[AuditEntry]) -> None:
    """Raise UndoRefused unless the entry is the field's latest change in force, or an undo that nothing followed.

    A field's history is a stack: a change is put on top, an undo takes the top off, undoing that undo puts it on again.
    """
    in_force: list[int] = []
    takes_off: dict[int, bool] = {}
    last = 0
    for each in entries:
        if each.before == each.after:
            continue
        last = each.id
        takes_off[each.id] = each.undoes is not None and not takes_off[each.undoes]
        if takes_off[each.id]:
            in_force.pop()
        else:
            in_force.append(each.id)
    latest = last if takes_off[target.id] else in_force[-1]
    if latest != target.id:
        raise UndoRefused(
            f"entry {latest} changed the {target.field} of app {target.app_id} after entry {target.id} did",
            hint=f"Undo entry {latest} first.",
        )


def _change(
    connection: sa.Connection,
    act: Act,
    action: str,
    app: sa.Row[Any],
    *,
    field: Field,
    columns: Mapping[str, Any],
    undoes: int | None = None,
) -> AuditEntry:
    """Store the columns, stamp the app with a new revision, log it. Nothing is stored when nothing changes."""
    old = dict(app._mapping)
    new = {**old, **columns}
    identity = AppIdentity.from_key(new["identity"])
    new["name"] = shown_name(identity, new["header_title"], new["pinned_name"])
    before, after = _value(field, old), _value(field, new)
    if before != after:
        new["revision"] = revisions.bump(connection, "apps")
        revisions.bump(connection, "writes")
        new["search"] = search_text(new["identity"], new["name"])
        changed = {column: value for column, value in new.items() if value != old[column]}
        connection.execute(sa.update(APPS).where(APPS.c.id == app.id).values(changed))
    return record(connection, act, action, field, before=before, after=after, app_id=app.id, undoes=undoes)


def _value(field: Field, app: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field of an app's row as the log shows it."""
    match field:
        case Field.ALIAS:
            return {"canonical_id": app["canonical_id"]}
        case Field.NAME:
            return {"name": app["name"], "pinned": app["pinned_name"] is not None}
        case Field.VISIBILITY:
            return {"visibility": app["visibility"]}
        case Field.CATEGORIES:
            pinned = app["pinned_categories"]
            shown = app["header_categories"] if pinned is None else pinned
            return {"categories": list(split_list(shown)), "pinned": pinned is not None}
        case Field.KEY:
            raise ValueError("an app has no keys")


def _columns(field: Field, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns by which a field has a logged value; what headers said is not put back."""
    match field:
        case Field.ALIAS:
            return {"canonical_id": value["canonical_id"]}
        case Field.NAME:
            return {"pinned_name": value["name"] if value["pinned"] else None}
        case Field.VISIBILITY:
            return {"visibility": value["visibility"]}
        case Field.CATEGORIES:
            return {"pinned_categories": ",".join(value["categories"]) if value["pinned"] else None}
        case Field.KEY:
            raise ValueError("an app has no keys")
