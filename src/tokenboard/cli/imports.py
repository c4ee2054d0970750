"""``tokenboard import``: usage out of files, through the one door."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tokenboard.api.reports import parse_reports
from tokenboard.app.board import attribution_options
from tokenboard.app.folder import BodyRefused, RunningServer, ServerBusy
from tokenboard.catalog import Scope, digest_of
from tokenboard.cli.events_file import FileFault, Piece, pieces
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import say
from tokenboard.cli.upkeep import OwnStores, own_stores
from tokenboard.config import Settings
from tokenboard.drain import MAX_BATCH
from tokenboard.intake import OPERATOR, Caller, Dropped
from tokenboard.problem import Problem
from tokenboard.spool import SpoolFull

_PATIENCE_S = 600.0
_RETRY_S = 2.0

Take = Callable[[Piece], tuple[int, int]]
"""Brings one piece through the door; returns the numbers of events taken and of those seen before."""


class BadEvents(FileFault):
    """A file holds events that may not be taken."""

    hint = "Mend the file and run the command again: what was taken counts once. docs/api.md says what an event needs."


class KeyRefused(FileFault):
    """The key given may not report usage."""

    hint = "`tokenboard keys create --label import --scopes ingest` makes one; without --key none is needed."


def import_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="NDJSON, CSV or Parquet; .gz and .zst too.")],
    key: Annotated[
        str, typer.Option(envvar="TOKENBOARD_KEY", help="Secret of the key that the usage belongs to; else to none.")
    ] = "",
) -> None:
    """Bring usage out of files into the board, each id once; through the server, when one runs.

    Stopped in the middle it may be run again within [spool] seen_days: what was taken is skipped.
    """
    session: Session = context.obj
    taken = repeated = 0
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with (
        _door(session, key.strip()) as take,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown,
    ):
        for file in files:
            task = shown.add_task(file.name, total=1.0)
            for piece in pieces(file):
                try:
                    new, known = take(piece)
                except BadEvents as error:
                    raise BadEvents(f"{file}: {error}") from error
                taken, repeated = taken + new, repeated + known
                shown.update(task, completed=piece.read, description=f"{file.name}, {taken:,} events")
    say(f"{taken:,} events taken, {repeated:,} had been before")


@contextmanager
def _door(session: Session, key: str) -> Iterator[Take]:
    """Open the way in: through the running server, else with the stores of the folder."""
    running = session.folder.running()
    if running is not None:
        yield lambda piece: _post(running, piece, key)
        return
    settings = session.settings()
    with own_stores(session, settings) as stores:
        caller = _caller(stores, key)
        yield lambda piece: _take(stores, settings, caller, piece)
        while stores.drain.deliver():
            pass


def _post(running: RunningServer, piece: Piece, key: str) -> tuple[int, int]:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            counts = running.post_usage(piece.body, key)
            return int(counts["accepted"]), int(counts["duplicates"])
        except ServerBusy:
            # The spool is full: what waits in it is on its way.
            if time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_S)
        except BodyRefused as error:
            raise _refusal(error, piece) from error


def _refusal(error: BodyRefused, piece: Piece) -> Exception:
    """Return what the server's refusal means for the file; the server counts a body's events from 0."""
    if error.status in {401, 403}:
        return KeyRefused(str(error))
    metadata = error.error.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("events"):
        return error
    named = metadata["events"]
    return _bad_events(piece, int(metadata["bad_events"]), int(named[0]["index"]), str(named[0]["message"]))


def _bad_events(piece: Piece, count: int, index: int, message: str) -> BadEvents:
    events = "1 bad event, it" if count == 1 else f"{count:,} bad events, the first"
    return BadEvents(f"{events} is event {piece.first + index:,}: {message}")


def _take(stores: OwnStores, settings: Settings, caller: Caller, piece: Piece) -> tuple[int, int]:
    try:
        parsed = parse_reports(piece.body, caller=caller, options=attribution_options(settings))
    except Problem as error:
        raise BadEvents(str(error)) from error
    refused = [(bad.index, bad.message) for bad in parsed.refused]
    refused += [(parsed.positions[bad.index], bad.message) for bad in stores.intake.examine(parsed.facts)]
    if refused:
        index, message = min(refused)
        raise _bad_events(piece, len({bad for bad, _ in refused}), index, message)
    outcome = stores.intake.record_new(parsed.facts)
    if isinstance(outcome, Dropped):
        raise SpoolFull("the spool takes no more")
    while stores.spool.state().pending >= MAX_BATCH:
        stores.drain.deliver()
    return outcome.accepted, outcome.duplicates


def _caller(stores: OwnStores, key: str) -> Caller:
    if not key:
        return OPERATOR
    digest = digest_of(key.encode())
    for known in stores.catalog.keys():  # noqa: SIM118 - not a dict
        if known.digest == digest and known.revoked_ms is None:
            if Scope.INGEST not in known.scopes:
                raise KeyRefused(f"the key {known.hint} lacks the scope {Scope.INGEST}")
            return Caller(known.account_id, known.id, known.label)
    raise KeyRefused("the key is not known here, or was revoked")
