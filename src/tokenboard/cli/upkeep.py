"""``tokenboard rebuild`` and ``tokenboard doctor --audit``: through the server when one runs, else by themselves."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tokenboard.app.board import open_upkeep
from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.stores import open_stores
from tokenboard.catalog import Catalog
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import counted, say, show_table
from tokenboard.config import Settings
from tokenboard.drain import Drain
from tokenboard.ingest import Ingest
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.rankings import Rankings
from tokenboard.spool import Spool
from tokenboard.upkeep import Audited, Rebuilt, Upkeep

Told = TypeVar("Told", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class OwnStores:
    """The stores of a folder without a server, owned by this process, and what works on them."""

    catalog: Catalog
    ledger: Ledger
    spool: Spool
    drain: Drain
    ingest: Ingest
    upkeep: Upkeep


@contextmanager
def own_stores(session: Session, settings: Settings) -> Iterator[OwnStores]:
    """Own the folder and open its stores, migrated, after completing the batch that a crash interrupted."""
    session.folder.require()
    with ExitStack() as opened:
        session.folder.own()
        opened.callback(session.folder.release)
        data = session.folder.path
        stores = open_stores(settings, data)
        catalog = opened.enter_context(closing(stores.catalog))
        ledger = opened.enter_context(closing(stores.ledger))
        spool = opened.enter_context(closing(stores.spool))
        floor = settings.attribution.floor
        rankings = Rankings(ledger, catalog, floor=floor, clock=lambda: datetime.now(UTC))
        counters = Counters()
        drain = Drain(spool, catalog, ledger, delivered=lambda: None, counters=counters, clock_ms=wall_clock_ms)
        drain.recover()
        ingest = Ingest(spool, counters, floor=floor, clock_ms=wall_clock_ms)
        yield OwnStores(catalog, ledger, spool, drain, ingest, open_upkeep(settings, ledger, rankings, drain))


def rebuild_rollups(context: typer.Context) -> None:
    """Rebuild all sums from the raw events.

    Month by month; usage is accepted meanwhile.

    Months whose raw events were dropped for age stay as they are. May be stopped and run again at any time.
    """
    session: Session = context.obj
    done = 0
    with progress() as shown:
        task = shown.add_task("rebuild", total=None)
        for rebuilt in _told(session, "rebuild", Rebuilt, lambda upkeep: upkeep.rebuild()):
            done = rebuilt.number
            shown.update(task, description=_month(rebuilt.month), completed=rebuilt.number, total=rebuilt.of)
    say(f"{counted(done, 'month')} rebuilt")


def audit_figures(session: Session) -> None:
    """Print every figure that has two values, and end with 1 if there is any."""
    differing, months, without_raw = 0, 0, []
    with progress() as shown:
        task = shown.add_task("audit", total=None)
        for audited in _told(session, "audit", Audited, lambda upkeep: upkeep.audit()):
            shown.update(task, description=_month(audited.month), advance=1)
            months += 1
            differing += len(audited.differences) + audited.untold
            if not audited.raw:
                without_raw.append(_month(audited.month))
            show_table(
                ["table", "at", "of", "figure", "expected", "found"],
                [(one.table, one.at, one.of, one.figure, one.expected, one.found) for one in audited.differences],
            )
            if audited.untold:
                typer.echo(f"{_month(audited.month)}: {audited.untold:,} more keys differ", err=True)
    if without_raw:
        typer.echo(
            f"note: the raw events of {', '.join(without_raw)} were dropped for their age "
            "([ledger] raw_retention_days); these months were compared from the sums per day on",
            err=True,
        )
    if differing:
        typer.echo(f"error: {differing:,} differences in {months} months", err=True)
        typer.echo("hint: `tokenboard rebuild` sums the rollups anew from the raw events.", err=True)
        raise typer.Exit(1)
    say(f"raw events, sums and rankings agree in {counted(months, 'month')}")


def progress() -> Progress:
    """Return a progress bar on standard error, drawn at a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _told(session: Session, task: str, kind: type[Told], work: Callable[[Upkeep], Iterator[Told]]) -> Iterator[Told]:
    """Yield what the task reports of each month: from the running server, else as done here."""
    running = session.folder.running()
    if running is not None:
        for told in running.run_task(task):
            yield msgspec.convert(told, kind)
        return
    with own_stores(session, session.settings()) as stores:
        yield from work(stores.upkeep)


def _month(month: int) -> str:
    return f"{month // 100}-{month % 100:02}"
