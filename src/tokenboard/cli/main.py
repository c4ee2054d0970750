"""The command line: global options, the commands, and how errors are told."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tokenboard import __version__
from tokenboard.cli import apps, attribute, doctor, imports, keys, migrate, seed, serve, spool, upkeep
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import report, say

_app = typer.Typer(
    name="tokenboard",
    help="Which apps use which models, and how much: gateway, rankings, Data API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_app.add_typer(keys.commands, name="keys")
_app.add_typer(apps.commands, name="apps")
_app.add_typer(spool.commands, name="spool")
_app.command("serve")(serve.serve_board)
_app.command("attribute")(attribute.explain_attribution)
_app.command("migrate")(migrate.migrate_stores)
_app.command("doctor")(doctor.check_everything)
_app.command("seed")(seed.seed_demo)
_app.command("rebuild")(upkeep.rebuild_rollups)
_app.command("import")(imports.import_files)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"tokenboard {__version__}")
        raise typer.Exit


@_app.callback()
def _options(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="Folder of all stores.", envvar="TOKENBOARD_DATA")] = Path("data"),
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file; else tokenboard.toml in DATA or here.", envvar="TOKENBOARD_CONFIG"),
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    context.obj = Session(data, config)


def main() -> None:
    """Run one command."""
    try:
        _app()
    except Exception as error:
        if not report(error):
            raise
        sys.exit(1)
