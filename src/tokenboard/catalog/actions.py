"""What an operator does to an app: merge, rename, hide, categorize, and undo. Each is one entry of the audit log.

Every action changes one field of one app; what is done to a whole host is in ``folds``. What headers say is kept
beside what an operator pinned, so taking a pin back shows what the headers have come to meanwhile. An action that
finds its result already there is logged and changes nothing. Every function works inside a writing transaction of its
caller.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from tokenboard.attribution import CATEGORIES, MAX_APP_CATEGORIES, AppIdentity
from tokenboard.catalog import folds, revisions
from tokenboard.catalog.app import Visibility, search_text, shown_name, split_list
from tokenboard.catalog.apps import leads_to, row_of
from tokenboard.catalog.audit import Act, AuditEntry, Field, entry, history, record, stack_of
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
    columns = {"alias_pinned": True, "canonical_id": canonical_id}
    return _change(connection, act, "merge", alias, field=Field.ALIAS, columns=columns)


def unmerge(connection: sa.Connection, act: Act, alias_id: int) -> AuditEntry:
    """Make an alias an app of its own again, also where its host is folded.

    Raises:
        UnknownApp: no such app.
        MergeRefused: it is no alias.

    """
    alias = row_of(connection, alias_id)
    if alias.canonical_id is None:
        raise MergeRefused(f"app {alias_id} ({alias.name}) is not an alias")
    apart = folds.target_of(connection, alias_id, alias.url) is not None
    columns = {"alias_pinned": apart, "canonical_id": None}
    return _change(connection, act, "unmerge", alias, field=Field.ALIAS, columns=columns)


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
            force, or going back would close a ring of aliases; a fold also, when an app of the host was placed since.

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
    if target.field is Field.FOLD:
        return folds.undo(connection, act, target)
    latest = stack_of(history(connection, target.app_id, target.field)).latest_for(target.id)
    if latest != target.id:
        raise UndoRefused(
            f"entry {latest} changed the {target.field} of app {target.app_id} after entry {target.id} did",
            hint=f"Undo entry {latest} first.",
        )
    app = row_of(connection, target.app_id)
    if any(app._mapping[column] != value for column, value in _columns(target.field, target.after).items()):
        raise UndoRefused(f"the {target.field} of app {app.id} is no longer what entry {audit_id} made it")
    columns = _columns(target.field, target.before)
    canonical_id = _pointer(connection, {**app._mapping, **columns}) if target.field is Field.ALIAS else None
    if canonical_id is not None and leads_to(connection, canonical_id, app.id):
        raise UndoRefused(
            f"app {canonical_id} leads to app {app.id} by now: each would be the other's alias",
            hint=f"Unmerge app {canonical_id} first.",
        )
    return _change(connection, act, "undo", app, field=target.field, columns=columns, undoes=target.id)


_SHOWING = {Visibility.PUBLIC: "publish", Visibility.HIDDEN: "hide", Visibility.PRIVATE: "set_private"}
_KEY_HINT = "Revoke a key you do not want; create a new one instead of a revoked one."


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
    if field is Field.ALIAS:
        new["canonical_id"] = _pointer(connection, new)
    before, after = _value(field, old), _value(field, new)
    if before != after:
        new["revision"] = revisions.bump(connection, "apps")
        revisions.bump(connection, "writes")
        new["search"] = search_text(new["identity"], new["name"])
        changed = {column: value for column, value in new.items() if value != old[column]}
        connection.execute(sa.update(APPS).where(APPS.c.id == app.id).values(changed))
    return record(connection, act, action, field, before=before, after=after, app_id=app.id, undoes=undoes)


def _pointer(connection: sa.Connection, app: Mapping[str, Any]) -> int | None:
    """Return the app that one with these columns is an alias of: as an operator said, else as its host is folded."""
    if app["alias_pinned"]:
        pointer: int | None = app["canonical_id"]
        return pointer
    return folds.target_of(connection, app["id"], app["url"])


def _value(field: Field, app: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field of an app's row as the log shows it."""
    match field:
        case Field.ALIAS:
            canonical_id, pinned = app["canonical_id"], app["alias_pinned"]
            if pinned == (canonical_id is not None):
                return {"canonical_id": canonical_id}
            return {"canonical_id": canonical_id, "apart" if pinned else "folded": True}
        case Field.NAME:
            return {"name": app["name"], "pinned": app["pinned_name"] is not None}
        case Field.VISIBILITY:
            return {"visibility": app["visibility"]}
        case Field.CATEGORIES:
            pinned = app["pinned_categories"]
            shown = app["header_categories"] if pinned is None else pinned
            return {"categories": list(split_list(shown)), "pinned": pinned is not None}
        case Field.KEY | Field.FOLD:
            raise ValueError(f"an app has no {field}")


def _columns(field: Field, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns by which a field has a logged value; what headers or a fold said is not put back."""
    match field:
        case Field.ALIAS:
            canonical_id = value["canonical_id"]
            if "apart" in value or (canonical_id is not None and "folded" not in value):
                return {"alias_pinned": True, "canonical_id": canonical_id}
            return {"alias_pinned": False}
        case Field.NAME:
            return {"pinned_name": value["name"] if value["pinned"] else None}
        case Field.VISIBILITY:
            return {"visibility": value["visibility"]}
        case Field.CATEGORIES:
            return {"pinned_categories": ",".join(value["categories"]) if value["pinned"] else None}
        case Field.KEY | Field.FOLD:
            raise ValueError(f"an app has no {field}")
