"""``tokenboard seed``: fill a new data folder with the demo year, by the same way in as any usage."""

import time
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.folder import DEMO_MARK, DataFolder, FolderError
from tokenboard.app.stores import open_stores
from tokenboard.attribution import AppIdentity, canonical_url
from tokenboard.catalog import App, Catalog, Visibility
from tokenboard.cli.session import Session, actor
from tokenboard.cli.terminal import say
from tokenboard.config import ConfigError, Settings
from tokenboard.demo import HIDDEN, MOVES, DemoDay, DemoYear
from tokenboard.drain import Drain
from tokenboard.ingest import Ingest
from tokenboard.intake import Dropped
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters
from tokenboard.spool import Spool, SpoolFull

_BATCH = 10_000
_DAY_MS = 86_400_000


class FolderTaken(FolderError):
    """The folder holds other usage: demo data would mix with it for good."""

    hint = "Name a new folder with --data; `make demo-clean` removes that of `make demo`."


class Mark(msgspec.Struct, frozen=True):
    """Which demo year a folder holds: its last UTC day, what was asked, when it was begun (epoch ms)."""

    until: date
    seed: int
    days: int
    density: float
    begun_ms: int
    complete: bool = False


def seed_demo(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Another number gives another year.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Length of the year, in days up to yesterday.")] = 365,
    density: Annotated[float, typer.Option(min=0.001, max=10, help="Factor for the number of events.")] = 1.0,
) -> None:
    """Fill a new data folder with a demo year.

    Apps and models are invented; the server must be stopped. A folder that holds such a year already stays as it is;
    one that was interrupted is completed.
    """
    session: Session = context.obj
    asked = Mark(datetime.now(UTC).date() - timedelta(days=1), seed, days, density, wall_clock_ms())
    if (held := read_mark(session.folder)) is not None and held.complete:
        say(f"{session.folder.path} holds a demo year up to {held.until} already; nothing was added")
        return
    settings = session.settings()
    session.folder.own()
    try:
        begun = time.monotonic()
        mark, events = _fill(session.folder, settings, asked)
    finally:
        session.folder.release()
    say(f"{events:,} events up to {mark.until}, in {time.monotonic() - begun:.0f} s")


def read_mark(folder: DataFolder) -> Mark | None:
    """Return the folder's mark, None when it has none.

    Raises:
        FolderTaken: there is one that cannot be read.

    """
    file = folder.path / DEMO_MARK
    try:
        return msgspec.json.decode(file.read_bytes(), type=Mark)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FolderTaken(f"cannot read {file}: {error}") from error


def _write_mark(folder: DataFolder, mark: Mark) -> None:
    temporary = folder.path / f"{DEMO_MARK}.new"
    temporary.write_bytes(msgspec.json.encode(mark))
    temporary.replace(folder.path / DEMO_MARK)


def _fill(folder: DataFolder, settings: Settings, asked: Mark) -> tuple[Mark, int]:
    """Bring the year into the stores; return its mark and the number of events added."""
    held = read_mark(folder)
    mark = asked if held is None else continued(held, asked, seen_days=settings.spool.seen_days)
    # The demo year's apps all come with one key, within minutes.
    unlimited = settings.attribution.model_copy(update={"new_app_limit": 0})
    with ExitStack() as opened:
        stores = open_stores(settings.model_copy(update={"attribution": unlimited}), folder.path)
        catalog = opened.enter_context(closing(stores.catalog))
        ledger = opened.enter_context(closing(stores.ledger))
        spool = opened.enter_context(closing(stores.spool))
        if held is None:
            _begin(folder, asked, catalog, ledger, spool)
        drain = Drain(spool, catalog, ledger, delivered=_tell_nobody, counters=Counters(), clock_ms=wall_clock_ms)
        # What an interrupted run left behind, first.
        _deliver(drain)
        events = _record(_year(mark, settings.attribution.floor), settings.attribution.floor, spool, drain)
        _moderate(catalog)
    complete = msgspec.structs.replace(mark, complete=True)
    _write_mark(folder, complete)
    return complete, events


def continued(held: Mark, asked: Mark, *, seen_days: int) -> Mark:
    """Return the year that was interrupted, to be gone on with; ids are remembered for ``seen_days``.

    Raises:
        FolderTaken: it is another one than asked for, or its first ids may be forgotten and would count twice.

    """
    if (held.seed, held.days, held.density) != (asked.seed, asked.days, asked.density):
        raise FolderTaken(
            "the folder holds a part of another demo year: "
            f"--seed {held.seed} --days {held.days} --density {held.density:g}"
        )
    if asked.begun_ms - held.begun_ms >= seen_days * _DAY_MS:
        raise FolderTaken("the folder holds a part of a demo year that is too old to be gone on with")
    return held


def _begin(folder: DataFolder, asked: Mark, catalog: Catalog, ledger: Ledger, spool: Spool) -> None:
    """Mark a folder whose stores are empty.

    Raises:
        FolderTaken: they hold usage.

    """
    if catalog.apps(limit=1).total or ledger.day_changes() or spool.state().pending:
        raise FolderTaken(f"{folder.path} holds usage that is no demo")
    _write_mark(folder, asked)


def _year(mark: Mark, floor: date) -> DemoYear:
    """Return the year of a mark, without the days before the dataset's first."""
    days = min(mark.days, (mark.until - floor).days + 1)
    if days < 1:
        raise ConfigError(f"[attribution] floor: {floor} is after {mark.until}, the last day of the demo year")
    return DemoYear(mark.until, seed=mark.seed, days=days, density=mark.density)


def _record(year: DemoYear, floor: date, spool: Spool, drain: Drain) -> int:
    """Ingest every day, and deliver it to the ledger; return the number of events that were new."""
    arrived_ms = 0
    ingest = Ingest(spool, Counters(), floor=floor, clock_ms=lambda: arrived_ms)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    added = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("a year of usage", total=year.count)
        for day in year.days():
            progress.update(task, advance=1, description=f"{day.day}, {added:,} events")
            arrived_ms = day.arrived_ms
            added += _take(ingest, day)
            if spool.state().pending >= _BATCH or not spool.has_room():
                _deliver(drain)
        _deliver(drain)
    return added


def _take(ingest: Ingest, day: DemoDay) -> int:
    if refused := ingest.examine(day.facts):
        raise RuntimeError(f"the demo year holds what ingest refuses: {refused[0]}")
    outcome = ingest.record_new(day.facts)
    if isinstance(outcome, Dropped):
        raise SpoolFull(f"the spool takes no more after {day.day}")
    return outcome.accepted


def _deliver(drain: Drain) -> None:
    while drain.deliver():
        pass


def _moderate(catalog: Catalog) -> None:
    """Do what the board's operator did in that year, if it is not done yet."""
    for moved, to in MOVES:
        alias, canonical = _seen(catalog, moved), _seen(catalog, to)
        if alias and canonical and alias.canonical_id != canonical.id:
            catalog.merge(alias.id, canonical.id, actor())
    for url in HIDDEN:
        app = _seen(catalog, url)
        if app and app.visibility is not Visibility.HIDDEN:
            catalog.hide(app.id, actor())


def _seen(catalog: Catalog, url: str) -> App | None:
    """Return the app of a URL; in a short year, or a thin one, some never come."""
    return catalog.identified(AppIdentity(canonical_url(url)))


def _tell_nobody() -> None:
    """Nobody reads the rankings of a folder that is being filled."""
