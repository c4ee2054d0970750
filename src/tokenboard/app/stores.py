"""The three stores of a board, opened together when all are there, of one board and of one time.

    record ─▶ missing? ─▶ open, migrate ─▶ emptied, or another board's? ─▶ older than another? ─▶ ids ─▶ record

Each store knows the board's id, and the data folder's record which stores there were. What does not fit is refused, by
name, until an operator accepts it; a catalog that is older than its ledger is told of, and numbers above it.
"""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tokenboard.app.catalog import open_catalog
from tokenboard.app.clock import wall_clock_ms
from tokenboard.app.ledger import connect_ledger
from tokenboard.app.record import MARKS, STORES, Record, Store, StoreMissing, is_there, missing, place_of, require
from tokenboard.catalog import Catalog, Marks, MarksFile
from tokenboard.collector import Collector
from tokenboard.config import Settings
from tokenboard.drain import Plan, PlanError, decode_plan
from tokenboard.event import EventDecodeError, join_events
from tokenboard.event_table import decode_columns, decode_parcel, is_by_columns
from tokenboard.ledger import Ledger
from tokenboard.observability import Counters, logger
from tokenboard.spool import Spool

_log = logger("stores")


@dataclass(frozen=True, slots=True)
class Stores:
    """The open stores, and how many apps and keys have usage and are unknown to the catalog: it is older than it."""

    catalog: Catalog
    ledger: Ledger
    spool: Spool
    unknown_apps: int
    unknown_keys: int


def open_ledger(settings: Settings, data: Path) -> Ledger:
    """Return the ledger of a board, migrated to this program's schema."""
    ledger = connect_ledger(settings, data)
    try:
        ledger.migrate()
    except BaseException:
        ledger.close()
        raise
    return ledger


def open_spool(settings: Settings, data: Path) -> Spool:
    """Return the spool of a board's own process.

    Raises:
        StoreMissing: it is not there, though it should be.

    """
    require("spool", settings, data)
    spool = settings.spool
    return Spool(
        settings.spool_folder(data),
        "board",
        max_bytes=spool.max_bytes,
        fsync=spool.fsync,
        clock_ms=wall_clock_ms,
        seen_days=spool.seen_days,
    )


def open_stores(settings: Settings, data: Path, *, ledger: Ledger | None = None) -> Stores:
    """Open all three, whose data folder this process owns; ``ledger`` may be given by a test.

    Raises:
        StoreMissing: one is missing, emptied, of another board, or of another time than the others.
        CatalogFault: the file of the highest ids is damaged: the first new app would stop all delivery.

    """
    for fault in missing(settings, data):
        raise fault
    record = Record.read(data)
    MarksFile(data / MARKS).read()
    with ExitStack() as opened:
        catalog = opened.enter_context(closing(open_catalog(settings, data)))
        if not (data / MARKS).exists() and not any(_is_held(store, settings, data) for store in ("ledger", "spool")):
            # Before there is a store that could hold ids: a command that makes a key meanwhile need not ask it.
            catalog.number_above(Marks())
        ledger = opened.enter_context(closing(ledger or open_ledger(settings, data)))
        spool = opened.enter_context(closing(open_spool(settings, data)))
        accepted = frozenset(record.accepted) if record else frozenset()
        held = {"catalog": catalog.board(), "ledger": ledger.board(), "spool": spool.board()}
        board = (record.board if record else "") or next((each for each in held.values() if each), uuid.uuid4().hex)
        used = {
            "catalog": bool(catalog.apps(limit=1).total or catalog.accounts()),
            "ledger": ledger.last_batch(spool.writer) > 0 or bool(ledger.day_changes()),
            "spool": spool.used(),
        }
        for store in STORES:
            if store not in accepted:
                _refuse_if_wrong(store, held, board, used, catalog, spool, record, settings, data)
        _compare_times(ledger, spool, accepted)
        unknown = _number_above(
            catalog, ledger, spool, settings.spool_folder(data), marks_known=(data / MARKS).exists()
        )
        if held["catalog"] != board:
            # First, as it may be shared: of boards that start at once on a new one, one makes it its own.
            catalog.join_board(board, instead_of=held["catalog"])
        for one in (ledger, spool):
            if one.board() != board:
                one.join_board(board)
        if record != (now := Record(board, STORES)):
            now.write(data)
        opened.pop_all()
    return Stores(catalog, ledger, spool, *unknown)


def _is_held(store: Store, settings: Settings, data: Path) -> bool:
    place = place_of(store, settings, data)
    return place is None or is_there(place)


def _refuse_if_wrong(
    store: Store,
    held: dict[str, str | None],
    board: str,
    used: dict[str, bool],
    catalog: Catalog,
    spool: Spool,
    record: Record | None,
    settings: Settings,
    data: Path,
) -> None:
    """Raise StoreMissing for a store of another board, or an empty one that others say was used."""
    where = place_of(store, settings, data) or "its server"
    if held[store] not in (None, board):
        raise StoreMissing(store, f"the {store} in {where} belongs to another board than the data folder {data}")
    if used[store] or held[store] is not None:
        return
    if record is not None and record.expects(store):
        raise StoreMissing(store, f"the {store} in {where} has been emptied: it knows nothing of its board")
    # No record yet: an older program's stores, or a data folder that was lost. What others hold tells.
    # Where catalog and ledger are on servers, an empty folder is a further board's, with batches of its own.
    further = all(place_of(server, settings, data) is None for server in ("catalog", "ledger"))
    others = {
        "catalog": used["ledger"] or spool.used(),
        "ledger": spool.emptied() and catalog.apps(limit=1).total > 0,
        "spool": used["ledger"] and not further,
    }
    if record is None and others[store]:
        raise StoreMissing(store, f"the {store} in {where} is empty, though the board's other stores were used")


def _compare_times(ledger: Ledger, spool: Spool, accepted: frozenset[str]) -> None:
    """Raise StoreMissing when ledger and spool are of different times: usage would be lost, or counted twice."""
    delivered, last = spool.delivered(), ledger.last_batch(spool.writer)
    plan = _plan_under_way(spool)
    under_way = 0 if plan is None else plan.batch
    if delivered is None:
        # An older program's spool, or a new one; noted so that the next start can tell.
        if last:
            spool.note_delivered(last)
        return
    if last > max(delivered, under_way) and "spool" not in accepted and "ledger" not in accepted:
        raise StoreMissing("spool", "the spool is older than the ledger: what it holds may have been counted already")
    if last < delivered and "spool" not in accepted and "ledger" not in accepted:
        raise StoreMissing("ledger", "the ledger is older than the spool: batches it had acknowledged are not in it")
    if accepted & {"spool", "ledger"}:
        spool.note_delivered(last)


def _number_above(
    catalog: Catalog, ledger: Ledger, spool: Spool, journals: Path, *, marks_known: bool
) -> tuple[int, int]:
    """Let the catalog give out no id that ledger or spool hold; tell how many apps and keys of theirs it does not know.

    The ledger's raw events are looked through only where the sums, or the marks in the data folder, leave a doubt: an
    account's usage always came with a key.
    """
    app_ids, key_ids = ledger.ids()
    known = catalog.marks()
    highest = Marks(max(app_ids, default=0), max(key_ids, default=0)).above(_on_the_way(spool, journals))
    if not marks_known or highest.above(known) != known:
        highest = highest.above(Marks(*ledger.highest_ids()))
    if not marks_known or highest.above(known) != known:
        catalog.number_above(highest)
    apps, keys = catalog.unknown(app_ids, key_ids)
    if apps or keys:
        facts = {
            "unknown_apps": apps,
            "unknown_keys": keys,
            "hint": "Restore a newer backup of the catalog; without one their usage has no names. No id is reused.",
        }
        _log.error("the catalog is older than the ledger: usage of apps or keys that it does not know", extra=facts)
    return apps, keys


def _on_the_way(spool: Spool, journals: Path) -> Marks:
    """Return the highest ids in what waits, in the dead letters, and in what was decided about a batch under way."""
    plan = _plan_under_way(spool)
    marks = Marks(app_id=0 if plan is None else max(plan.app_ids, default=0))
    waiting = (join_events((body,)) for body in Collector(spool, journals, counters=Counters()).bodies())
    for body in chain(spool.bodies(), waiting):
        for key_id, account_id in _callers(body):
            marks = marks.above(Marks(0, key_id, account_id))
    return marks


def _plan_under_way(spool: Spool) -> Plan | None:
    """Return what was decided about the batch under way; None without one, or when only another version can read it.

    The drain holds such a batch back, and says so; its ids are those of apps that the data folder's marks know.
    """
    fixed = spool.fixed()
    try:
        return None if fixed is None else decode_plan(fixed.plan)
    except PlanError:
        return None


def _callers(body: bytes) -> Iterator[tuple[int, int]]:
    try:
        if is_by_columns(body):
            table = decode_columns(body)
            if table.num_rows:
                yield _highest(table, "key_id"), _highest(table, "account_id")
        else:
            yield from ((event.key_id, event.account_id) for event in decode_parcel(body))
    except EventDecodeError:
        # What cannot be read becomes a dead letter, and is named there.
        return


def _highest(table: pa.Table, name: str) -> int:
    return int(pc.max(table.column(name)).as_py() or 0)
