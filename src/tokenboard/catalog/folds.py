"""Folds: the rule that every path of a host counts for one app, for the apps there are and for those to come.

A rule moves no app that an operator placed himself (``alias_pinned``): by a merge, or by taking it out of the fold with
an unmerge. Every other app of the host points to the rule's app while the rule stands, and is an app of its own again
when it goes. Apps on loopback addresses are distinguished by their titles, not by paths, and are never folded. Every
function works inside a transaction of its caller, the changing ones inside a writing one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tokenboard.attribution import RefererError, canonical_url
from tokenboard.catalog import revisions
from tokenboard.catalog.app import App
from tokenboard.catalog.apps import PAGE_LIMIT, leads_to, read_app, root_of, row_of
from tokenboard.catalog.audit import Act, AuditEntry, Field, alias_histories, fold_history, record, stack_of
from tokenboard.catalog.errors import FoldRefused, InvalidValue, LimitReached, UndoRefused, UnknownApp
from tokenboard.catalog.schema import APPS, FOLDS

FOLDS_LIMIT = 10_000
"""Most hosts that have ever been folded."""

_SCHEME = "https://"


@dataclass(frozen=True, slots=True)
class Fold:
    """A rule in force: the apps under ``host``, a URL without a path, count for ``canonical_id``.

    ``apps`` is how many apps the rule moves at present.
    """

    host: str
    canonical_id: int
    apps: int


@dataclass(frozen=True, slots=True)
class Folded:
    """What a fold or unfold did: its entry, how many apps it moved, and the first 1,000 of these as they are now."""

    entry: AuditEntry
    total: int
    apps: tuple[App, ...]


def fold(connection: sa.Connection, act: Act, host: str, into: int | None) -> Folded:
    """Let every path of a host count for one app.

    Without ``into`` that is the app at the host's root, or the one it counts for; when no usage has been seen of the
    root, the first app seen of the host.

    Raises:
        InvalidValue: the text is no host, or one whose apps do not differ by their paths.
        UnknownApp: ``into`` does not exist, or no app of the host does.
        FoldRefused: the app chosen leads to one that would be folded into it.
        LimitReached: 10,000 hosts have been folded.

    """
    origin = origin_of(host)
    target = _default_target(connection, origin) if into is None else int(row_of(connection, into).id)
    rule = connection.execute(sa.select(FOLDS).where(FOLDS.c.host == origin)).first()
    if rule is None:
        rule = _new(connection, origin)
    folded = _put(connection, act, "fold", rule, target)
    if _ends_in_itself(connection, target):
        led = row_of(connection, target)
        raise FoldRefused(
            f"app {target} ({led.name}) is an alias that leads to an app of {origin}: each would be the other's alias",
            hint=f"Fold the host into app {led.canonical_id}, or unmerge app {target} first.",
        )
    return folded


def unfold(connection: sa.Connection, act: Act, host: str) -> Folded:
    """Take the rule of a host away; raises InvalidValue, FoldRefused when the host is not folded."""
    origin = origin_of(host)
    rule = connection.execute(sa.select(FOLDS).where(FOLDS.c.host == origin)).first()
    if rule is None or rule.canonical_id is None:
        raise FoldRefused(f"{origin} is not folded", hint="See the folded hosts with `tokenboard apps folds`.")
    return _put(connection, act, "unfold", rule, None)


def undo(connection: sa.Connection, act: Act, target: AuditEntry) -> AuditEntry:
    """Put a host's rule back to what it was before an entry, which has not been undone and did change it.

    Raises:
        UndoRefused: the entry is not the rule's latest change in force; an operator placed an app of the host since;
            or going back would close a ring of aliases.

    """
    rule = connection.execute(sa.select(FOLDS).where(FOLDS.c.id == target.fold_id)).one()
    latest = stack_of(fold_history(connection, rule.id)).latest_for(target.id)
    if latest != target.id:
        raise UndoRefused(
            f"entry {latest} changed the fold of {rule.host} after entry {target.id} did",
            hint=f"Undo entry {latest} first.",
        )
    if rule.canonical_id != target.after["canonical_id"]:
        raise UndoRefused(f"the fold of {rule.host} is no longer what entry {target.id} made it")
    _refuse_if_placed_since(connection, rule.host, target.id)
    canonical_id = target.before["canonical_id"]
    undone = _put(connection, act, "undo", rule, canonical_id, undoes=target.id)
    if canonical_id is not None and _ends_in_itself(connection, canonical_id):
        raise UndoRefused(
            f"app {canonical_id} leads to an app of {rule.host} by now: each would be the other's alias",
            hint=f"Unmerge app {canonical_id} first.",
        )
    return undone.entry


def listing(connection: sa.Connection) -> tuple[Fold, ...]:
    """Return the rules in force, by host."""
    rules = connection.execute(sa.select(FOLDS).where(FOLDS.c.canonical_id.is_not(None))).all()
    return tuple(
        Fold(rule.host, rule.canonical_id, _moved_by(connection, rule.host, rule.canonical_id))
        for rule in sorted(rules, key=lambda rule: str(rule.host))  # databases order texts by languages' rules
    )


def resolve(connection: sa.Connection, url: str) -> int | None:
    """Return the app for which usage of a canonical URL not seen yet would count; None for a new app."""
    host = host_of(url)
    target = None if host is None else targets(connection, [host]).get(host)
    return None if target is None else root_of(connection, target)


def targets(connection: sa.Connection, hosts: Iterable[str]) -> Mapping[str, int]:
    """Return the apps into which these hosts are folded, by host; a host that is not folded is left out."""
    rules = sa.select(FOLDS.c.host, FOLDS.c.canonical_id).where(
        FOLDS.c.host.in_(list(hosts)), FOLDS.c.canonical_id.is_not(None)
    )
    return dict(tuple(row) for row in connection.execute(rules))


def target_of(connection: sa.Connection, app_id: int, url: str) -> int | None:
    """Return the app to which the rule of its host points this app, None when there is none, or it is that app."""
    host = host_of(url)
    target = None if host is None else targets(connection, [host]).get(host)
    return None if target == app_id else target


def host_of(url: str) -> str | None:
    """Return a canonical URL without its path; None where paths do not distinguish apps, as on loopback addresses."""
    return _SCHEME + url[len(_SCHEME) :].partition("/")[0] if url.startswith(_SCHEME) else None


def origin_of(host: str) -> str:
    """Return what stands for a host, given alone or with any URL of it; raises InvalidValue."""
    try:
        origin = canonical_url(host, origin_only=True)
    except RefererError as error:
        raise InvalidValue(f"{host.strip()[:100]!r} is no host: {error}", hint="Give it as example.com.") from error
    if host_of(origin) is None:
        raise InvalidValue(
            f"{origin} cannot be folded: its apps are not told apart by paths", hint="Merge single apps instead."
        )
    return origin


def _new(connection: sa.Connection, origin: str) -> sa.Row[Any]:
    """Make the row of a host that was never folded; it says so until it is put."""
    rule_id = revisions.next_id(connection, FOLDS)
    if rule_id > FOLDS_LIMIT:
        raise LimitReached(f"{FOLDS_LIMIT} hosts have been folded, the most there may be", hint="Merge apps instead.")
    connection.execute(sa.insert(FOLDS), {"id": rule_id, "host": origin, "canonical_id": None})
    return connection.execute(sa.select(FOLDS).where(FOLDS.c.id == rule_id)).one()


def _default_target(connection: sa.Connection, origin: str) -> int:
    at_root, free = APPS.c.url == origin, APPS.c.canonical_id.is_(None)
    order = at_root.desc(), free.desc(), APPS.c.first_seen_ms, APPS.c.id
    chosen = connection.execute(sa.select(APPS.c.id).where(_under(origin)).order_by(*order).limit(1)).scalar()
    if chosen is None:
        raise UnknownApp(f"no app of {origin} has been seen yet, and none was named to fold it into", tried=origin)
    return root_of(connection, chosen)


def _put(
    connection: sa.Connection,
    act: Act,
    action: str,
    rule: sa.Row[Any],
    canonical_id: int | None,
    *,
    undoes: int | None = None,
) -> Folded:
    """Store where a host's apps point from now on, point them there, and log it."""
    before = _value(connection, rule.host, rule.canonical_id)
    moved: list[int] = []
    if rule.canonical_id != canonical_id:
        connection.execute(sa.update(FOLDS).where(FOLDS.c.id == rule.id).values(canonical_id=canonical_id))
        revisions.bump(connection, "writes")
        moved = _point(connection, rule.host, canonical_id)
    entry = record(
        connection,
        act,
        action,
        Field.FOLD,
        before=before,
        after=_value(connection, rule.host, canonical_id),
        app_id=rule.canonical_id if canonical_id is None else canonical_id,
        fold_id=rule.id,
        undoes=undoes,
    )
    shown = connection.execute(sa.select(APPS).where(APPS.c.id.in_(moved[:PAGE_LIMIT])).order_by(APPS.c.id))
    return Folded(entry, len(moved), tuple(read_app(row) for row in shown))


def _point(connection: sa.Connection, origin: str, canonical_id: int | None) -> list[int]:
    """Point the apps that the rule of a host moves, and stamp those that changed; return their ids, ascending."""
    pointer = sa.case((APPS.c.id == canonical_id, None), else_=canonical_id) if canonical_id else sa.null()
    # NULL is written as 0, which is no app's id, so that an alias and an app of its own differ.
    differs = sa.func.coalesce(APPS.c.canonical_id, 0) != sa.func.coalesce(pointer, 0)
    moves = sa.and_(_under(origin), APPS.c.alias_pinned.is_(False), differs)
    moved = list(connection.execute(sa.select(APPS.c.id).where(moves).order_by(APPS.c.id)).scalars())
    if moved:
        revision = revisions.bump(connection, "apps")
        connection.execute(sa.update(APPS).where(moves).values(canonical_id=pointer, revision=revision))
    return moved


def _value(connection: sa.Connection, origin: str, canonical_id: int | None) -> dict[str, Any]:
    """Return a host's rule as the log shows it."""
    count = 0 if canonical_id is None else _moved_by(connection, origin, canonical_id)
    return {"host": origin, "canonical_id": canonical_id, "apps": count}


def _moved_by(connection: sa.Connection, origin: str, canonical_id: int) -> int:
    moved = sa.and_(APPS.c.canonical_id == canonical_id, APPS.c.alias_pinned.is_(False), _under(origin))
    return int(connection.execute(sa.select(sa.func.count()).select_from(APPS).where(moved)).scalar_one())


def _refuse_if_placed_since(connection: sa.Connection, origin: str, entry_id: int) -> None:
    """Raise UndoRefused when an operator's placing of an app of the host, later than the entry, is in force."""
    for app_id, entries in alias_histories(connection, _under(origin), entry_id).items():
        latest = stack_of(entries).top
        if latest is not None and latest > entry_id:
            raise UndoRefused(
                f"entry {latest} placed app {app_id}, which is one of {origin}, after entry {entry_id} did",
                hint=f"Undo entry {latest} first.",
            )


def _ends_in_itself(connection: sa.Connection, app_id: int) -> bool:
    """Return whether an app's pointers lead back to it.

    Every pointer just written leads to it, so no ring without it can have been closed.
    """
    canonical_id = row_of(connection, app_id).canonical_id
    return canonical_id is not None and leads_to(connection, canonical_id, app_id)


def _under(origin: str) -> sa.ColumnElement[bool]:
    return sa.or_(APPS.c.url == origin, APPS.c.url.startswith(f"{origin}/", autoescape=True))
