"""Reading apps: look-ups, listings, what changed. Every function works inside a reading transaction of its caller."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from tokenboard.attribution import AppIdentity, RefererError, canonical_url, searchable
from tokenboard.catalog import revisions
from tokenboard.catalog.app import App, AppPage, CatalogChanges, TitleVariant, Visibility, split_list
from tokenboard.catalog.errors import AmbiguousApp, InvalidValue, UnknownApp
from tokenboard.catalog.schema import APP_TITLES, APPS

PAGE_LIMIT = 1_000
"""Most rows of one page of a listing or log."""

OFFSET_LIMIT = 2**31 - 1
SEARCH_LIMIT = 200
"""Longest text to search for, in characters."""

MAX_ID = 2**31 - 1
"""Largest id that the tables hold."""

_NAMED_IN_MESSAGE = 20


def find(connection: sa.Connection, ref: str | int) -> App:
    """Return the app of an id (digits) or of any URL of it.

    Raises:
        UnknownApp: there is none.
        AmbiguousApp: a loopback URL that several titles share.

    """
    if isinstance(ref, int):
        return app(connection, ref)
    text = ref.strip()
    if text.isascii() and text.isdigit():
        return app(connection, int(text.lstrip("0")[:20] or "0"))
    try:
        url = canonical_url(text)
    except RefererError as error:
        raise UnknownApp(f"{text[:100]!r} is neither an app's id nor its URL: {error}") from error
    rows = connection.execute(sa.select(APPS).where(APPS.c.url == url).order_by(APPS.c.id)).all()
    if not rows:
        raise UnknownApp(f"no app with the URL {url}", tried=url)
    if len(rows) > 1:
        named = ", ".join(f"{row.id} ({row.name})" for row in rows[:_NAMED_IN_MESSAGE])
        more = f" and {len(rows) - _NAMED_IN_MESSAGE} more" if len(rows) > _NAMED_IN_MESSAGE else ""
        raise AmbiguousApp(f"{len(rows)} apps share {url}: {named}{more}", ids=[row.id for row in rows])
    return read_app(rows[0])


def identified(connection: sa.Connection, identity: AppIdentity) -> App | None:
    """Return the app of an identity, None when no usage has made it yet."""
    row = connection.execute(sa.select(APPS).where(APPS.c.identity == identity.key)).first()
    return None if row is None else read_app(row)


def root_of(connection: sa.Connection, app_id: int) -> int:
    """Return the id at the end of an app's pointers, its own when it is no alias; raises UnknownApp."""
    current = row_of(connection, app_id)
    while current.canonical_id is not None:
        # Ends: no merge ever closes a ring.
        current = row_of(connection, current.canonical_id)
    return int(current.id)


def app(connection: sa.Connection, app_id: int) -> App:
    """Return the app; raises UnknownApp."""
    return read_app(row_of(connection, app_id))


def row_of(connection: sa.Connection, app_id: int) -> sa.Row[Any]:
    """Return the app's stored row; raises UnknownApp."""
    row = connection.execute(sa.select(APPS).where(APPS.c.id == app_id)).first() if 0 < app_id <= MAX_ID else None
    if row is None:
        raise UnknownApp(f"no app with the id {app_id}")
    return row


def listing(
    connection: sa.Connection, search: str, visibilities: Iterable[Visibility] | None, limit: int, offset: int
) -> AppPage:
    """Return a page of the apps whose name or URL holds ``search``, whatever the case; raises InvalidValue."""
    check_page(limit, offset)
    if len(search) > SEARCH_LIMIT:
        raise InvalidValue(f"the search text has {len(search)} characters; at most {SEARCH_LIMIT} are allowed")
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in search):
        raise InvalidValue("the search text holds a character that no store can keep: NUL, or half of a surrogate pair")
    wanted: list[sa.ColumnElement[bool]] = []
    if search:
        wanted.append(APPS.c.search.contains(searchable(search), autoescape=True))
    if visibilities is not None:
        wanted.append(APPS.c.visibility.in_([str(visibility) for visibility in visibilities]))
    total = connection.execute(sa.select(sa.func.count()).select_from(APPS).where(*wanted)).scalar_one()
    rows = connection.execute(sa.select(APPS).where(*wanted).order_by(APPS.c.id).limit(limit).offset(offset))
    return AppPage(total, tuple(read_app(row) for row in rows))


def changes(connection: sa.Connection, since: int) -> CatalogChanges:
    """Return the apps stamped after ``since``; all of them when ``since`` is 0 or lies in the future."""
    revision = revisions.read(connection, "apps")
    if since > revision:
        since = 0
    rows = connection.execute(sa.select(APPS).where(APPS.c.revision > since).order_by(APPS.c.id))
    return CatalogChanges(revision, tuple(read_app(row) for row in rows))


def titles(connection: sa.Connection, app_id: int) -> tuple[TitleVariant, ...]:
    """Return the app's title variants, the most recently seen first; raises UnknownApp."""
    row_of(connection, app_id)
    rows = connection.execute(sa.select(APP_TITLES).where(APP_TITLES.c.app_id == app_id)).all()
    # Ordered here: databases order texts by their own languages' rules.
    ordered = sorted(rows, key=lambda row: (-row.last_seen_ms, row.title))
    return tuple(TitleVariant(row.title, row.first_seen_ms, row.last_seen_ms) for row in ordered)


def aliases(connection: sa.Connection, app_id: int) -> tuple[App, ...]:
    """Return every app that leads to this one, over any number of pointers, by ascending id; raises UnknownApp."""
    rows = connection.execute(sa.select(APPS).where(APPS.c.id.in_(_below(connection, app_id))).order_by(APPS.c.id))
    return tuple(read_app(row) for row in rows)


def alias_page(connection: sa.Connection, app_id: int, limit: int, offset: int) -> AppPage:
    """Return a page of what ``aliases`` returns; raises UnknownApp, InvalidValue."""
    check_page(limit, offset)
    leads_here = APPS.c.id.in_(_below(connection, app_id))
    total = connection.execute(sa.select(sa.func.count()).select_from(APPS).where(leads_here)).scalar_one()
    rows = connection.execute(sa.select(APPS).where(leads_here).order_by(APPS.c.id).limit(limit).offset(offset))
    return AppPage(total, tuple(read_app(row) for row in rows))


def _below(connection: sa.Connection, app_id: int) -> sa.Select[tuple[int]]:
    """Return the query for the ids of every app that leads to this one; raises UnknownApp."""
    row_of(connection, app_id)
    below = sa.select(APPS.c.id).where(APPS.c.canonical_id == app_id).cte("below", recursive=True)
    below = below.union(sa.select(APPS.c.id).where(APPS.c.canonical_id == below.c.id))
    return sa.select(below.c.id)


def leads_to(connection: sa.Connection, app_id: int, target_id: int) -> bool:
    """Return whether following the pointers from an app meets another, itself included."""
    current: int | None = app_id
    while current is not None and current != target_id:
        # Ends: no merge ever closes a ring.
        current = connection.execute(sa.select(APPS.c.canonical_id).where(APPS.c.id == current)).scalar_one_or_none()
    return current == target_id


def read_app(row: sa.Row[Any]) -> App:
    """Return the app of a stored row."""
    pinned_categories = row.pinned_categories
    return App(
        id=row.id,
        identity=AppIdentity.from_key(row.identity),
        url=row.url,
        name=row.name,
        pinned=row.pinned_name is not None,
        visibility=Visibility(row.visibility),
        canonical_id=row.canonical_id,
        categories=split_list(row.header_categories if pinned_categories is None else pinned_categories),
        first_seen_ms=row.first_seen_ms,
        revision=row.revision,
        categories_pinned=pinned_categories is not None,
        alias_pinned=row.alias_pinned,
    )


def check_page(limit: int, offset: int) -> None:
    """Raise InvalidValue when a page's limits are out of range."""
    if not 1 <= limit <= PAGE_LIMIT:
        raise InvalidValue(f"limit is {limit}; it must be between 1 and {PAGE_LIMIT}")
    if not 0 <= offset <= OFFSET_LIMIT:
        raise InvalidValue(f"offset is {offset}; it must be between 0 and {OFFSET_LIMIT}")
