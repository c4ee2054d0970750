"""``tokenboard apps``: names, visibility, categories, aliases. Each change is audited, in force at once, undoable."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from tokenboard.catalog import App, AuditEntry, Catalog, Field, Folded
from tokenboard.cli.catalog import catalog_of, changing_catalog_of
from tokenboard.cli.session import Session, actor
from tokenboard.cli.terminal import at, say, show_json, show_table

commands = typer.Typer(help="Show apps and edit them.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
AppRef = Annotated[str, typer.Argument(metavar="APP", help="The app: its id or any URL of it.")]
_PAGE = 1_000


@commands.command("list")
def list_apps(
    context: typer.Context,
    search: Annotated[str, typer.Option(help="Part of a name or URL.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="Apps shown at most.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Apps left out before them.")] = 0,
    as_json: Json = False,
) -> None:
    """List apps by id, hidden ones and aliases included."""
    session: Session = context.obj
    with catalog_of(session) as catalog:
        page = catalog.apps(search, limit=limit, offset=offset)
    if as_json:
        show_json({"total": page.total, "apps": [_facts(app) for app in page.apps]})
        return
    rows = [
        (app.id, app.name, app.url, app.visibility, app.canonical_id, ",".join(app.categories), at(app.first_seen_ms))
        for app in page.apps
    ]
    show_table(["id", "name", "url", "visibility", "alias of", "categories", "first seen"], rows)
    if offset + len(page.apps) < page.total:
        typer.echo(f"{page.total - offset - len(page.apps)} more: --offset {offset + limit}", err=True)


@commands.command("show")
def show(context: typer.Context, ref: AppRef, as_json: Json = False) -> None:
    """Show one app: its names so far, its aliases."""
    session: Session = context.obj
    with catalog_of(session) as catalog:
        app = catalog.find(ref)
        titles, aliases = catalog.titles(app.id), catalog.aliases(app.id)
    if as_json:
        more = {"titles": [each.title for each in titles], "aliases": [{"id": a.id, "url": a.url} for a in aliases]}
        show_json(_facts(app) | more)
        return
    facts = _facts(app) | {"first_seen": at(app.first_seen_ms)}
    rows = [(name, ",".join(value) if isinstance(value, list) else value) for name, value in facts.items()]
    show_table(["", ""], rows)
    if titles:
        seen = [(each.title, at(each.first_seen_ms), at(each.last_seen_ms)) for each in titles]
        show_table(["title", "first seen", "last seen"], seen)
    if aliases:
        show_table(["alias", "url"], [(each.id, each.url) for each in aliases])


@commands.command("merge")
def merge(
    context: typer.Context,
    alias: Annotated[str, typer.Argument(help="The app that becomes an alias: its id or any URL of it.")],
    canonical: Annotated[str, typer.Argument(help="The app that its usage counts for.")],
    as_json: Json = False,
) -> None:
    """Count one app's usage, past and future, for another."""
    _change(context, alias, lambda catalog, app: catalog.merge(app.id, catalog.find(canonical).id, actor()), as_json)


@commands.command("unmerge")
def unmerge(
    context: typer.Context,
    alias: Annotated[str, typer.Argument(help="The alias: its id or any URL of it.")],
    as_json: Json = False,
) -> None:
    """Make an alias an app of its own again."""
    _change(context, alias, lambda catalog, app: catalog.unmerge(app.id, actor()), as_json)


@commands.command("fold")
def fold(
    context: typer.Context,
    host: Annotated[str, typer.Argument(help="The host, or any URL of it.")],
    into: Annotated[str, typer.Option(metavar="APP", help="The app; else the one at the host's root.")] = "",
    as_json: Json = False,
) -> None:
    """Count all paths of a host, those seen so far and those to come, for one app."""
    _fold(context, lambda catalog: catalog.fold(host, actor(), into=catalog.find(into).id if into else None), as_json)


@commands.command("unfold")
def unfold(
    context: typer.Context,
    host: Annotated[str, typer.Argument(help="The host, or any URL of it.")],
    as_json: Json = False,
) -> None:
    """Make the apps of a folded host apps of their own again."""
    _fold(context, lambda catalog: catalog.unfold(host, actor()), as_json)


@commands.command("folds")
def list_folds(context: typer.Context, as_json: Json = False) -> None:
    """List the folded hosts, each with its app and how many apps count for it by the fold."""
    session: Session = context.obj
    with catalog_of(session) as catalog:
        folds = catalog.folds()
    if as_json:
        show_json([{"host": each.host, "canonical_id": each.canonical_id, "apps": each.apps} for each in folds])
        return
    show_table(["host", "app", "folded"], [(each.host, each.canonical_id, each.apps) for each in folds])


@commands.command("hide")
def hide(context: typer.Context, ref: AppRef, as_json: Json = False) -> None:
    """Leave an app out of everything public."""
    _change(context, ref, lambda catalog, app: catalog.hide(app.id, actor()), as_json)


@commands.command("private")
def make_private(context: typer.Context, ref: AppRef, as_json: Json = False) -> None:
    """Leave an app out of everything public, by its owner's wish."""
    _change(context, ref, lambda catalog, app: catalog.set_private(app.id, actor()), as_json)


@commands.command("publish")
def publish(context: typer.Context, ref: AppRef, as_json: Json = False) -> None:
    """Show an app again."""
    _change(context, ref, lambda catalog, app: catalog.publish(app.id, actor()), as_json)


@commands.command("rename")
def rename(
    context: typer.Context,
    ref: AppRef,
    name: Annotated[str, typer.Argument(help="The name, 1 to 100 characters.")],
    as_json: Json = False,
) -> None:
    """Name an app and pin the name: headers no longer change it."""
    _change(context, ref, lambda catalog, app: catalog.rename(app.id, name, actor()), as_json)


@commands.command("pin")
def pin(context: typer.Context, ref: AppRef, as_json: Json = False) -> None:
    """Pin the name an app has now."""
    _change(context, ref, lambda catalog, app: catalog.rename(app.id, app.name, actor()), as_json)


@commands.command("unpin")
def unpin(context: typer.Context, ref: AppRef, as_json: Json = False) -> None:
    """Let headers name an app again."""
    _change(context, ref, lambda catalog, app: catalog.unpin(app.id, actor()), as_json)


@commands.command("categorize")
def categorize(
    context: typer.Context,
    ref: AppRef,
    categories: Annotated[str, typer.Argument(help="Comma list of categories; empty for none.")],
    as_json: Json = False,
) -> None:
    """Set an app's categories: headers no longer change them."""
    names = [name.strip() for name in categories.split(",") if name.strip()]
    _change(context, ref, lambda catalog, app: catalog.categorize(app.id, names, actor()), as_json)


@commands.command("uncategorize")
def uncategorize(context: typer.Context, ref: AppRef, as_json: Json = False) -> None:
    """Let headers give an app its categories again."""
    _change(context, ref, lambda catalog, app: catalog.uncategorize(app.id, actor()), as_json)


@commands.command("log")
def log(
    context: typer.Context,
    ref: Annotated[str, typer.Option("--app", metavar="APP", help="Only entries about this app.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="Entries shown at most.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Entries left out before them.")] = 0,
    as_json: Json = False,
) -> None:
    """Show who changed what, the newest first."""
    session: Session = context.obj
    with catalog_of(session) as catalog:
        app_id = catalog.find(ref).id if ref else None
        entries = catalog.log_page(limit, offset, app_id=app_id).entries
    if as_json:
        show_json([_entry(entry) for entry in entries])
        return
    rows = [
        (e.id, at(e.at_ms), e.actor, e.action, _object(e), _fields(e.before), _fields(e.after), e.undone_by)
        for e in entries
    ]
    show_table(["entry", "at", "by", "action", "of", "before", "after", "undone by"], rows)


@commands.command("undo")
def undo(
    context: typer.Context,
    entry: Annotated[int, typer.Argument(help="The entry's number, as `apps log` shows it.")],
    as_json: Json = False,
) -> None:
    """Take back one entry of the log; an undo is an entry too and can be taken back."""
    session: Session = context.obj
    with changing_catalog_of(session) as catalog:
        done = catalog.undo(entry, actor())
    _show_entry(done, as_json)


def _change(context: typer.Context, ref: str, action: Callable[[Catalog, App], AuditEntry], as_json: bool) -> None:
    session: Session = context.obj
    with changing_catalog_of(session) as catalog:
        entry = action(catalog, catalog.find(ref))
    _show_entry(entry, as_json)


def _fold(context: typer.Context, action: Callable[[Catalog], Folded], as_json: bool) -> None:
    session: Session = context.obj
    with changing_catalog_of(session) as catalog:
        folded = action(catalog)
    if as_json:
        moved = [{"id": app.id, "url": app.url, "canonical_id": app.canonical_id} for app in folded.apps]
        show_json(_entry(folded.entry) | {"total": folded.total, "apps": moved})
        return
    _show_entry(folded.entry, as_json)
    show_table(["app", "url", "alias of"], [(app.id, app.url, app.canonical_id) for app in folded.apps])
    if folded.total > len(folded.apps):
        typer.echo(f"{folded.total - len(folded.apps)} more", err=True)


def _show_entry(entry: AuditEntry, as_json: bool) -> None:
    if as_json:
        show_json(_entry(entry))
        return
    if entry.before == entry.after:
        say(f"{entry.action}: {_object(entry)} is so already; nothing changed")
    else:
        say(f"{entry.action}: {_object(entry)}{_into(entry)} (take back with `tokenboard apps undo {entry.id}`)")


def _object(entry: AuditEntry) -> str:
    """Return what an entry is about; ids of apps and of keys are counted apart."""
    if entry.field is Field.FOLD:
        return str(entry.after["host"])
    return f"key {entry.key_id}" if entry.app_id is None else f"app {entry.app_id}"


def _into(entry: AuditEntry) -> str:
    """Return the app that what an entry is about counts for from now on; nothing where it counts for itself."""
    canonical = entry.after.get("canonical_id")
    return "" if canonical is None else f" into app {canonical}"


def _fields(value: Mapping[str, object]) -> str:
    return json.dumps(dict(value), ensure_ascii=False)


def _facts(app: App) -> dict[str, object]:
    return {
        "id": app.id,
        "name": app.name,
        "pinned": app.pinned,
        "url": app.url,
        "visibility": str(app.visibility),
        "canonical_id": app.canonical_id,
        "folded": app.canonical_id is not None and not app.alias_pinned,
        "categories": list(app.categories),
        "first_seen_ms": app.first_seen_ms,
    }


def _entry(entry: AuditEntry) -> dict[str, object]:
    return {
        "entry": entry.id,
        "at_ms": entry.at_ms,
        "actor": entry.actor,
        "action": entry.action,
        "field": str(entry.field),
        "app_id": entry.app_id,
        "key_id": entry.key_id,
        "before": dict(entry.before),
        "after": dict(entry.after),
        "undoes": entry.undoes,
        "undone_by": entry.undone_by,
    }
