"""The command line: global options, the commands, and how errors are printed."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tokenboard import BUILD_FORM, __version__
from tokenboard.app.privacy import UMASK
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import report, say

_STYLE: Any = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
_COMMANDS = {
    "keys": "keys:commands",
    "apps": "apps:commands",
    "dead-letters": "dead_letters:commands",
    "stores": "stores:commands",
    "catalog": "catalog_copy:commands",
    "serve": "serve:serve_everything",
    "gateway": "gateway:run_one_gateway",
    "board": "board:run_board",
    "shipping": "shipping:commands",
    "attribute": "attribute:explain_attribution",
    "migrate": "migrate:migrate_stores",
    "counters": "counters:show_counters",
    "doctor": "doctor:check_everything",
    "seed": "seed:seed_demo",
    "rebuild": "upkeep:rebuild_rollups",
    "import": "imports:import_files",
}
_HIDDEN = {"spool": "dead_letters:commands"}
"""Former names of commands, which scripts may still use; no help shows them."""


class _Commands(TyperGroup):
    """The commands, each imported when it is asked for: most need a small part of the program."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - given to every group
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - given to every group
        place = _COMMANDS.get(cmd_name) or _HIDDEN.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found = getattr(import_module(f"tokenboard.cli.{module}"), name)
        holder = typer.Typer(**_STYLE)
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=cmd_name)
        else:
            holder.command(cmd_name)(found)
        return typer.main.get_group(holder).commands[cmd_name]


_app = typer.Typer(
    cls=_Commands,
    name="tokenboard",
    help="Which apps use which models, and how much: gateway, rankings, Data API.",
    no_args_is_help=True,
    **_STYLE,
)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"tokenboard {__version__}")
        say(str(BUILD_FORM))
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
        bool,
        typer.Option(
            "--version", help="Print the version and the form that runs; exit.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    context.obj = Session(data, config)


def main() -> None:
    """Run one command. What it makes is its owner's alone."""
    os.umask(UMASK)
    try:
        _app()
    except Exception as error:
        if not report(error):
            raise
        sys.exit(1)
