"""``tokenboard serve``: gateways and the board, each a process of its own, or everything in one."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenboard.app.supervise import serve
from tokenboard.cli.process import settings_of, welcome


def serve_everything(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else [server] host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; else [server] port; 0: a free one.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    gateways: Annotated[
        int | None, typer.Option(min=1, max=64, help="Gateway processes; else [server] gateways.")
    ] = None,
    single: Annotated[bool, typer.Option("--single", help="Everything in one process, for a small machine.")] = False,
) -> None:
    """Serve everything: gateways, pages and Data API.

    Until SIGTERM or Ctrl-C; then it finishes open answers, delivers what waits, and exits 0.
    """
    session, file, settings = settings_of(
        context, config, "" if single else "supervisor", host=host, port=port, gateways=gateways
    )

    def ready(url: str, told: Mapping[str, Any]) -> None:
        welcome(session, settings, url, told)

    if single:
        # Loaded here only: a process that looks after others stays small.
        import_module("tokenboard.cli.board").serve_in_one(session, file, settings, ready)
    elif code := serve(settings, session.folder, config=file, ready=ready):
        raise typer.Exit(code)
