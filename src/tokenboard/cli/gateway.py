"""``tokenboard gateway``: inference alone, for the board of the same folder, or of another machine."""

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from tokenboard.app.gateway import GatewayJob, run_gateway
from tokenboard.app.places import gateways_folder, run_folder
from tokenboard.app.remote import refuse_board_folder
from tokenboard.app.roles import CONTROL, FIRST_GATEWAY, PUBLIC, local_url
from tokenboard.cli.process import SpoolLeft, settings_of
from tokenboard.config import Settings
from tokenboard.config.settings import Board
from tokenboard.observability import logger
from tokenboard.supervisor import Supervised, public_listeners, unix_listener

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_log = logger("serve")


def a_name(given: str) -> str:
    """Refuse what would be no folder within the spool's, where the board looks for journals."""
    if _NAME.fullmatch(given) is None:
        raise typer.BadParameter("a name is 1 to 64 of a-z, 0-9 and -, such as gateway-2")
    return given


def _far(settings: Settings, given: str | None) -> str:
    """Return the URL of the board on another machine; empty where there is none."""
    if given is None:
        return settings.board.url
    try:
        return Board(url=given).url
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"], param_hint="--board") from error


def run_one_gateway(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else [server] host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; else [server] port; 0: a free one.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    name: Annotated[
        str, typer.Option(callback=a_name, help="Name of its journal in the spool's folder; each gateway has its own.")
    ] = FIRST_GATEWAY,
    board: Annotated[
        str | None, typer.Option(help="URL of a board on another machine; else [board] url; without: this folder's.")
    ] = None,
    url: Annotated[str, typer.Option(hidden=True, help="The public URL; given by `serve`.")] = "",
    run: Annotated[str, typer.Option(hidden=True, help="Names the run of `serve`; given by it.")] = "",
) -> None:
    """Run one gateway, for the board of the same folder or of another machine.

    Until SIGTERM or Ctrl-C; then it finishes open answers and exits 0. A board on another machine is known by its URL;
    the key for it, which has the scope `gateway`, is in the variable TOKENBOARD_GATEWAY_KEY, or in the file that
    [board] key_file names.
    """
    supervised = Supervised.from_environment(os.environ)
    session, _, settings = settings_of(context, config, name, host=host, port=port)
    data = session.folder.path
    far = "" if supervised is not None else _far(settings, board)
    if far:
        refuse_board_folder(settings, data)
    with ExitStack() as opened:
        if supervised is not None:
            public, control = supervised.listeners[PUBLIC], supervised.listeners[CONTROL]
        else:
            session.folder.create()
            for folder in (run_folder(data), gateways_folder(data)):
                folder.mkdir(mode=0o700, exist_ok=True)
            (listener,) = public_listeners(settings.server.host, settings.server.port)
            opened.callback(listener.close)
            private = unix_listener(gateways_folder(data) / f"{name}.sock")
            opened.callback(private.close)
            public, control = listener.socket, private.socket
            url = settings.server.base_url or local_url(public, settings.server.host)
        job = GatewayJob(name, url, run, public, control, supervised, far)

        def ready() -> None:
            if supervised is not None:
                supervised.status.ready()
            else:
                _log.info("the gateway takes requests", extra={"url": url} | ({"board": far} if far else {}))

        if not run_gateway(settings, data, job, ready):
            raise SpoolLeft("the journal could not be written to the end; an answer may not be counted")
