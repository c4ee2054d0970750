"""``tokenboard catalog``: the catalog moved to another database."""

from typing import Annotated

import typer

from tokenboard.app.catalog import catalog_as_it_is
from tokenboard.cli.catalog import catalog_of
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import say, show_table

commands = typer.Typer(help="Move the catalog to another database.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Keep `copy` a command of its own name, while it is the only one."""


@commands.command("copy")
def copy_catalog(
    context: typer.Context,
    to: Annotated[str, typer.Option(help="URL of the database to copy to, as [catalog] url.")],
    password_env: Annotated[str, typer.Option(help="Variable that holds the password for it.")] = "",
    password_file: Annotated[str, typer.Option(help="File that holds the password for it.")] = "",
) -> None:
    """Copy the catalog to an empty database, with all ids; the server must be stopped. The old one stays as it is."""
    session: Session = context.obj
    settings, data = session.settings(), session.folder.path
    session.folder.require()
    session.folder.own()
    try:
        there = settings.catalog.model_copy(
            update={"url": to, "password_env": password_env, "password_file": password_file}
        )
        with catalog_of(session) as catalog:
            target = catalog_as_it_is(settings.model_copy(update={"catalog": there}), data)
            try:
                counts = catalog.copy_to(target)
            finally:
                target.close()
    finally:
        session.folder.release()
    show_table(["table", "rows"], [(name, str(count)) for name, count in counts.items()])
    say("\ncopied and compared; now set [catalog] url to the new database, and start the server")
