"""What is decided about a batch before it is fixed: which app each event belongs to, and what is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tokenboard.catalog import Catalog, CatalogError, CatalogFault, Observation, Observed
from tokenboard.drain.observations import group_observations
from tokenboard.event import EventDecodeError, UsageEvent, decode_events, encode_parcel, split_events
from tokenboard.event_table import decode_columns, events_of, is_by_columns, table_of
from tokenboard.ledger import OUT_OF_TIME, BatchId, Rows, arrange_table, fit_events, misfit_times
from tokenboard.spool import Parcel

_OBSERVATIONS = 10_000  # what the catalog takes in one call
_ABOUT_VALUES = (ValueError, TypeError, OverflowError)
_REASON = 200  # characters of another part's complaint
_UNSOUND = "its bytes are not those that were stored: the disk has changed them"
_UNSOUND_MARK = b"\xc1"  # what no MessagePack begins with
_NO_APP_KEY = "the app's key is empty or too long"


class PlanError(Exception):
    """A batch cannot be sent as it was fixed or is to be; sending it otherwise could lose or double events."""

    hint = "Run the version of tokenboard that fixed the batch until it is delivered, then this one."


class Plan(msgspec.Struct, frozen=True):
    """The decisions about one batch, stored with it so that a retry repeats them.

    ``batch`` is its number in the ledger, ``writer`` whose it is: 0 in the plans of programs that knew of one writer.
    ``unread`` are the sequence numbers of parcels that could not be read;
    ``left_out`` the positions, among the events of the other parcels in order, of those that became dead letters;
    ``app_ids`` has one app id per remaining event, and ``reasons`` maps positions among these to a reason that the
    catalog gave.
    """

    batch: int
    unread: tuple[int, ...]
    left_out: tuple[int, ...]
    app_ids: tuple[int, ...]
    reasons: dict[int, str]
    writer: int = 0

    @property
    def batch_id(self) -> BatchId:
        """The batch, as the ledger knows it."""
        return BatchId(self.writer, self.batch)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Plan)


def encode_plan(plan: Plan) -> bytes:
    """Return the plan's bytes."""
    return _encoder.encode(plan)


def decode_plan(body: bytes) -> Plan:
    """Return the plan that these bytes hold.

    Raises:
        PlanError: another version of this program wrote them.

    """
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise PlanError("the batch under way was fixed by another version of tokenboard") from error


@dataclass(slots=True)
class _Contents:
    """The events of parcels, in order: those that fit as one table, with the position of each row among all of them.

    ``misfits`` are the positions of the others, each with the reason and the event's bytes.
    """

    table: pa.Table = field(default_factory=lambda: table_of(()))
    positions: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    events: int = 0
    misfits: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    unread: list[tuple[int, str, bytes]] = field(default_factory=list)


def make_plan(
    parcels: Sequence[Parcel], catalog: Catalog, batch: BatchId
) -> tuple[Plan, Rows, list[tuple[str, bytes]]]:
    """Decide about these parcels: the plan, its rows, and the dead letters as (reason, bytes).

    ``batch`` is what the ledger will know them by.

    Apps are created and named in the catalog on the way; doing it again decides the same.

    Raises:
        CatalogError: try again later.
        PlanError: the catalog gives what cannot be stored.

    """
    contents = _read(parcels)
    table = contents.table
    # Before the catalog gets them: an event of the year 2200 would name its app for good.
    why_not = dict.fromkeys(misfit_times(table).tolist(), OUT_OF_TIME)
    app_ids, given = _place(table, catalog, why_not)
    kept = np.setdiff1d(np.arange(table.num_rows), np.fromiter(why_not, np.int64, len(why_not)), assume_unique=True)
    numbers = np.cumsum(np.isin(np.arange(table.num_rows), kept)) - 1
    plan = Plan(
        batch=batch.number,
        writer=batch.writer,
        unread=tuple(seq for seq, _, _ in contents.unread),
        left_out=tuple(sorted({*contents.misfits, *contents.positions[list(why_not)].tolist()})),
        app_ids=tuple(app_ids[kept].tolist()),
        reasons={int(numbers[row]): reason for row, reason in given.items() if row not in why_not},
    )
    left_out = [(int(contents.positions[row]), why, _alone(table, row)) for row, why in why_not.items()]
    left_out += [(position, why, body) for position, (why, body) in contents.misfits.items()]
    dead_letters = [(why, body) for _, why, body in contents.unread]
    dead_letters += [(why, body) for _, why, body in sorted(left_out)]
    return plan, _rows(table, kept, plan), dead_letters


def repeat_plan(parcels: Sequence[Parcel], plan: Plan) -> Rows:
    """Return the rows of a batch that was fixed with ``plan``, exactly as they were.

    Raises:
        PlanError: this program reads the batch otherwise than the one that fixed it.

    """
    unread, left_out = set(plan.unread), set(plan.left_out)
    contents = _read([parcel for parcel in parcels if parcel.seq not in unread])
    for _, why, _ in contents.unread:
        raise PlanError(f"a parcel of the fixed batch can no longer be read: {why}")
    kept = np.flatnonzero(~np.isin(contents.positions, np.fromiter(left_out, np.int64, len(left_out))))
    misfits = set(contents.misfits) - left_out
    if kept.size + len(misfits) != len(plan.app_ids):
        raise PlanError(
            f"the fixed batch had {len(plan.app_ids):,} events, and is read as {kept.size + len(misfits):,}"
        )
    if misfits or np.isin(kept, misfit_times(contents.table)).any():
        raise PlanError("events of the fixed batch no longer fit the ledger")
    return _rows(contents.table, kept, plan)


def _rows(table: pa.Table, kept: NDArray[np.int64], plan: Plan) -> Rows:
    if kept.size < table.num_rows:
        table = table.take(pa.array(kept))
    reasons = table.column("reason").combine_chunks()
    if plan.reasons:
        named = reasons.to_pylist()
        for at, reason in plan.reasons.items():
            named[at] = reason
        reasons = pa.array(named, pa.string())
    try:
        return arrange_table(table, np.array(plan.app_ids, np.int64), reasons)
    except (ValueError, OverflowError) as error:
        raise PlanError(f"the catalog gave app ids that fit no column: {error}") from error


def _read(parcels: Sequence[Parcel]) -> _Contents:
    """Read all parcels; what came event by event is made a table as far as the next parcel of columns."""
    contents = _Contents()
    tables: list[pa.Table] = []
    positions: list[NDArray[np.int64]] = []
    waiting: list[UsageEvent] = []

    def add(table: pa.Table, fitting: NDArray[np.int64]) -> None:
        tables.append(table)
        positions.append(fitting)

    def settle() -> None:
        if waiting:
            first = contents.events - len(waiting)
            table, refused = fit_events(waiting)
            for at, why in refused.items():
                contents.misfits[first + at] = (why, encode_parcel((waiting[at],)))
            fitting = [first + at for at in range(len(waiting)) if at not in refused]
            add(table, np.array(fitting, np.int64))
            waiting.clear()

    def read_events(body: bytes) -> None:
        try:
            events = decode_events(body)
        except EventDecodeError:
            # One event that cannot be read keeps none of those beside it.
            for one in split_events(body):
                read_event(one)
        else:
            waiting.extend(events)
            contents.events += len(events)

    def read_event(body: bytes) -> None:
        try:
            waiting.extend(decode_events(body))
        except EventDecodeError as error:
            settle()
            contents.misfits[contents.events] = (str(error), body)
        contents.events += 1

    for parcel in parcels:
        if not parcel.sound:
            # Marked, so that it cannot be decoded by mistake when it is queued again.
            contents.unread.append((parcel.seq, _UNSOUND, _UNSOUND_MARK + parcel.body))
            continue
        try:
            if is_by_columns(parcel.body):
                table = decode_columns(parcel.body)
                settle()
                add(table, np.arange(contents.events, contents.events + table.num_rows))
                contents.events += table.num_rows
            else:
                read_events(parcel.body)
        except EventDecodeError as error:
            contents.unread.append((parcel.seq, str(error), parcel.body))
    settle()
    if tables:
        contents.table, contents.positions = pa.concat_tables(tables), np.concatenate(positions)
    return contents


def _alone(table: pa.Table, row: int) -> bytes:
    """Return one event of a table as a parcel of its own."""
    return encode_parcel(tuple(events_of(table.take(pa.array([row])))))


def _place(table: pa.Table, catalog: Catalog, why_not: dict[int, str]) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Return the app id of each row, 0 for none, and of some rows the catalog's reason for none.

    Rows that cannot be placed are added to ``why_not``, those in it already are passed over.
    """
    skipped = np.zeros(table.num_rows, np.bool_)
    skipped[list(why_not)] = True
    grouped = group_observations(table, skipped)
    why_not |= dict.fromkeys(grouped.unfit.tolist(), _NO_APP_KEY)
    faults: dict[int, Exception] = {}
    placed: dict[int, Observed] = {}
    for start in range(0, len(grouped.observations), _OBSERVATIONS):
        some = dict(enumerate(grouped.observations[start : start + _OBSERVATIONS], start))
        placed.update(_observe(some, catalog, faults))
    if faults and len(faults) == len(grouped.observations):
        # Nothing passes: then it is the catalog that is at fault, unless the complaint is about a value.
        for error in faults.values():
            if not isinstance(error, _ABOUT_VALUES):
                raise error
    groups = max(grouped.groups, default=-1) + 1
    by_group = np.zeros(groups + 1, np.int64)  # the last is that of the rows in no group, whose number is -1
    reasons: dict[int, str] = {}
    for number, observed in placed.items():
        by_group[grouped.groups[number]] = observed.app_id
        if observed.reason:
            reasons[grouped.groups[number]] = str(observed.reason)
    for number, error in faults.items():
        for row in np.flatnonzero(grouped.group_of == grouped.groups[number]).tolist():
            why_not[row] = f"the catalog refuses it: {_named(error)}"
    given = {
        row: reason for group, reason in reasons.items() for row in np.flatnonzero(grouped.group_of == group).tolist()
    }
    return by_group[grouped.group_of], given


def _observe(
    observations: dict[int, Observation], catalog: Catalog, faults: dict[int, Exception]
) -> dict[int, Observed]:
    """Ask the catalog about all observations at once; when it chokes, halve them until those at fault stand alone."""
    try:
        return dict(zip(observations, catalog.observe(list(observations.values())), strict=True))
    except Exception as error:
        if isinstance(error, CatalogError) and not isinstance(error, CatalogFault):
            raise
        order = list(observations)
        if len(order) == 1:
            faults[order[0]] = error
            return {}
    middle = len(order) // 2
    placed = _observe({at: observations[at] for at in order[:middle]}, catalog, faults)
    return placed | _observe({at: observations[at] for at in order[middle:]}, catalog, faults)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:_REASON]}"
