"""``tokenboard gateway``: inference alone, by what the board of the same folder has published."""

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from tokenboard.app.gateway import GatewayJob, run_gateway
from tokenboard.app.places import gateways_folder, run_folder
from tokenboard.app.roles import CONTROL, FIRST_GATEWAY, PUBLIC, local_url
from tokenboard.cli.process import SpoolLeft, settings_of
from tokenboard.observability import logger
from tokenboard.supervisor import Supervised, public_listeners, unix_listener

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_log = logger("serve")


def _a_name(given: str) -> str:
    """Refuse what would be no folder within the spool's, where the board looks for journals."""
    if _NAME.fullmatch(given) is None:
        raise typer.BadParameter("a name is 1 to 64 of a-z, 0-9 and -, such as gateway-2")
    return given


def run_one_gateway(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on; else [server] host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; else [server] port; 0: a free one.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    name: Annotated[
        str, typer.Option(callback=_a_name, help="Name of its journal in the spool's folder; each gateway has its own.")
    ] = FIRST_GATEWAY,
    url: Annotated[str, typer.Option(hidden=True, help="The public URL; given by `serve`.")] = "",
    run: Annotated[str, typer.Option(hidden=True, help="Names the run of `serve`; given by it.")] = "",
) -> None:
    """Run one gateway, for the board of the same folder.

    Until SIGTERM or Ctrl-C; then it finishes open answers and exits 0.
    """
    supervised = Supervised.from_environment(os.environ)
    session, _, settings = settings_of(context, config, name, host=host, port=port)
    data = session.folder.path
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
        job = GatewayJob(name, url, run, public, control, supervised)

        def ready() -> None:
            if supervised is not None:
                supervised.status.ready()
            else:
                _log.info("the gateway takes requests", extra={"url": url})

        if not run_gateway(settings, data, job, ready):
            raise SpoolLeft("the journal could not be written to the end; an answer may not be counted")
