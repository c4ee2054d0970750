"""``tokenboard attribute``: how a request with these headers would be attributed. Stores nothing."""

from typing import Annotated

import typer

from tokenboard.api.attribution import describe
from tokenboard.app.upstreams import attribution_options
from tokenboard.attribution import attribute
from tokenboard.catalog import CatalogError
from tokenboard.cli.catalog import existing_catalog_of
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import show_json, show_table


def explain_attribution(
    context: typer.Context,
    referer: Annotated[list[str] | None, typer.Option(help="Value of HTTP-Referer; may be repeated.")] = None,
    title: Annotated[str | None, typer.Option(help="Value of X-OpenRouter-Title.")] = None,
    categories: Annotated[
        list[str] | None, typer.Option(help="Value of X-OpenRouter-Categories; may be repeated.")
    ] = None,
    user_agent: Annotated[str | None, typer.Option(help="Value of User-Agent, for the rules.")] = None,
    key_label: Annotated[str | None, typer.Option(help="Label of the key, for the rules.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the API would answer.")] = False,
) -> None:
    """Show the app that a request would be attributed to.

    Needs no data folder and makes none.
    """
    session: Session = context.obj
    given = [(b"http-referer", value) for value in referer or []]
    given += [(b"x-openrouter-title", title)] if title is not None else []
    given += [(b"x-openrouter-categories", value) for value in categories or []]
    given += [(b"user-agent", user_agent)] if user_agent is not None else []
    headers = [(name, value.encode("utf-8", "surrogateescape")) for name, value in given]
    settings = session.settings()
    who = attribute(headers, attribution_options(settings), key_label=key_label)
    try:
        with existing_catalog_of(session, settings) as catalog:
            shown = describe(who, catalog)
    except CatalogError as error:
        typer.echo(f"note: without the app's ids, as {error}", err=True)
        shown = describe(who, None)
    if as_json:
        show_json({"data": shown})
        return
    app = shown["app"] or {}
    rows = [
        ("tracked", "yes" if who.tracked else f"no: {who.reason}"),
        ("app", app.get("url")),
        ("name", app.get("name")),
        ("app id", app.get("app_id")),
        ("canonical app id", app.get("canonical_app_id")),
        ("title", who.title),
        ("title from", who.title_source),
        ("categories", ", ".join(who.categories)),
    ]
    rows += [("ignored", f"{item.value} ({item.reason})") for item in who.ignored]
    rows += [("rule", who.rule.url)] if who.rule else []
    rows += [("warning", f"{warning.code}: {warning.message}") for warning in who.warnings]
    show_table(["", ""], rows)
