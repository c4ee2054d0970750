"""``tokenboard import``: usage out of files, through ingest."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.running_server import BodyRefused, RunningServer, ServerBusy
from tokenboard.app.upstreams import attribution_options
from tokenboard.cli.events_file import FileFault, Piece, pieces
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import counted, say
from tokenboard.cli.upkeep import OwnStores, own_stores
from tokenboard.config import Settings
from tokenboard.drain import MAX_BATCH
from tokenboard.ingest import Refused, examine, parse_reports
from tokenboard.intake import OPERATOR, Caller, Dropped, Facts
from tokenboard.keys import Scope, digest_of
from tokenboard.problem import Problem
from tokenboard.spool import SpoolFull

_PATIENCE_S = 600.0
_RETRY_S = 2.0

Take = Callable[[Piece], tuple[int, int]]
"""Ingests one piece; returns the numbers of events taken and of those seen before."""


class BadEvents(FileFault):
    """A file holds events that may not be taken."""

    hint = "Nothing of this file was taken. Mend it and run the command again; docs/api.md says what an event needs."


class KeyRefused(FileFault):
    """The key given may not report usage."""

    hint = "`tokenboard keys create --label import --scopes ingest` makes one; without --key none is needed."


def import_files(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="NDJSON, JSON, CSV, TSV or Parquet; .gz and .zst too.")
    ],
    key: Annotated[
        str, typer.Option(envvar="TOKENBOARD_KEY", help="Secret of the key that the usage belongs to; else to none.")
    ] = "",
) -> None:
    """Import usage from files, each id once.

    Through the server, when one runs.

    A file with one bad event, or one cut short, is refused as a whole. Stopped in the middle the command may be run
    again within [spool] seen_days: what was taken is skipped.
    """
    session: Session = context.obj
    settings = session.settings()
    taken = repeated = 0
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with (
        _door(session, settings, key.strip()) as take,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown,
    ):
        for file in files:
            task = shown.add_task(file.name, total=1.0)
            for piece in _good_pieces(file, settings):
                try:
                    new, known = take(piece)
                except BadEvents as error:
                    raise BadEvents(f"{file}: {error}") from error
                taken, repeated = taken + new, repeated + known
                shown.update(task, completed=piece.read, description=f"{file.name}, {taken:,} events")
    say(f"{counted(taken, 'event')} taken, {repeated:,} had been before")


def _good_pieces(file: Path, settings: Settings) -> Iterator[Piece]:
    """Yield the pieces of a file once all of it is known to be good.

    Raises:
        BadEvents: some events may not be taken.
        FileFault: the file cannot be read to its end.

    """
    read = pieces(file)
    first, second = next(read, None), next(read, None)
    if first is None:
        return
    if second is None:  # One piece is taken as a whole or not at all.
        yield first
        return
    bad, named = 0, ""
    for piece in chain((first, second), read):
        number, message = _judge(piece, settings)
        bad, named = bad + number, named or message
    if bad:
        raise BadEvents(f"{file}: {_counted(bad, named)}")
    yield from pieces(file)


def _judge(piece: Piece, settings: Settings) -> tuple[int, str]:
    """Return how many events of a piece are bad, and the first one with its reason."""
    refused = _refused(piece, settings, OPERATOR)[0]
    if not refused:
        return 0, ""
    return len({bad.index for bad in refused}), f"{piece.where(refused[0].index)}: {refused[0].message}"


def _refused(piece: Piece, settings: Settings, caller: Caller) -> tuple[list[Refused], list[Facts]]:
    """Return the bad events of a piece in order, and the facts of the good ones."""
    try:
        parsed = parse_reports(piece.body, caller=caller, options=attribution_options(settings))
    except Problem as error:
        raise BadEvents(str(error)) from error
    refused = list(parsed.refused)
    found = examine(parsed.facts, floor=settings.attribution.floor, now_ms=wall_clock_ms())
    refused += (replace(bad, index=parsed.positions[bad.index]) for bad in found)
    return sorted(refused, key=attrgetter("index")), parsed.facts


@contextmanager
def _door(session: Session, settings: Settings, key: str) -> Iterator[Take]:
    """Open the way in: through the running server, else with the stores of the folder."""
    running = session.folder.running()
    if running is not None:
        yield lambda piece: _post(running, piece, key)
        return
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
    return BadEvents(
        _counted(int(metadata["bad_events"]), f"{piece.where(int(named[0]['index']))}: {named[0]['message']}")
    )


def _counted(bad: int, first: str) -> str:
    return f"1 bad event, {first}" if bad == 1 else f"{bad:,} bad events, the first at {first}"


def _take(stores: OwnStores, settings: Settings, caller: Caller, piece: Piece) -> tuple[int, int]:
    refused, facts = _refused(piece, settings, caller)
    if refused:
        bad = len({bad.index for bad in refused})
        raise BadEvents(_counted(bad, f"{piece.where(refused[0].index)}: {refused[0].message}"))
    outcome = stores.ingest.record_new(facts)
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
