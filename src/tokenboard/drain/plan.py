"""What is decided about a batch before it is fixed: which app each event belongs to, and what is left out."""

from collections.abc import Sequence

import msgspec

from tokenboard.attribution import AppIdentity
from tokenboard.catalog import Catalog, CatalogError, CatalogFault, Sighted, Sighting
from tokenboard.event import EventDecodeError, UsageEvent, decode_parcel, encode_parcel
from tokenboard.ledger import Rows, arrange_rows
from tokenboard.spool import Parcel

_MAX_KEY = 900  # a canonical URL is 512 characters at most, a title 100, case-folded 300
_SIGHTINGS = 10_000  # what the catalog takes in one call
_ABOUT_VALUES = (ValueError, TypeError, OverflowError)
_REASON = 200  # characters of another part's complaint


class PlanError(Exception):
    """A batch cannot be sent as it was fixed or is to be; sending it otherwise could lose or double events."""

    hint = "Run the version of tokenboard that fixed the batch until it is delivered, then this one."


class Plan(msgspec.Struct, frozen=True):
    """The decisions about one batch, stored with it so that a retry repeats them.

    ``unread`` are the sequence numbers of parcels that could not be read; ``left_out`` the positions, among the events
    of the other parcels in order, of those set aside; ``app_ids`` has one app id per remaining event, and ``reasons``
    maps positions among these to a reason that the catalog gave.
    """

    unread: tuple[int, ...]
    left_out: tuple[int, ...]
    app_ids: tuple[int, ...]
    reasons: dict[int, str]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Plan)


def encode_plan(plan: Plan) -> bytes:
    """Return the plan's bytes."""
    return _encoder.encode(plan)


def decode_plan(body: bytes) -> Plan:
    """Return the plan that these bytes hold."""
    return _decoder.decode(body)


def make_plan(parcels: Sequence[Parcel], catalog: Catalog) -> tuple[Plan, Rows, list[tuple[str, bytes]]]:
    """Decide about these parcels: the plan, its rows, and the records to set aside as (reason, bytes).

    Apps are created and named in the catalog on the way; doing it again decides the same.

    Raises:
        CatalogError: try again later.
        PlanError: the catalog gives what cannot be stored.

    """
    aside: list[tuple[str, bytes]] = []
    unread: list[int] = []
    events: list[UsageEvent] = []
    for parcel in parcels:
        try:
            events += decode_parcel(parcel.body)
        except EventDecodeError as error:
            unread.append(parcel.seq)
            aside.append((str(error), parcel.body))

    # Before the catalog hears of them: an event of the year 2200 would name its app for good.
    left_out = dict(arrange_rows(events, [0] * len(events), [None] * len(events)).refused)
    placed = _place(events, catalog, left_out)
    kept = [at for at in range(len(events)) if at not in left_out]
    rows = arrange_rows(
        [events[at] for at in kept],
        [placed[at].app_id for at in kept],
        [placed[at].reason or events[at].reason for at in kept],
    )
    if rows.refused:
        raise PlanError(f"the catalog gave app ids that fit no column: {rows.refused}")
    aside += [(reason, encode_parcel((events[at],))) for at, reason in sorted(left_out.items())]
    plan = Plan(
        unread=tuple(unread),
        left_out=tuple(sorted(left_out)),
        app_ids=tuple(placed[at].app_id for at in kept),
        reasons={position: str(placed[at].reason) for position, at in enumerate(kept) if placed[at].reason},
    )
    return plan, rows, aside


def repeat_plan(parcels: Sequence[Parcel], plan: Plan) -> Rows:
    """Return the rows of a batch that was fixed with ``plan``, exactly as they were.

    Raises:
        PlanError: this program reads the batch otherwise than the one that fixed it.

    """
    unread, left_out = set(plan.unread), set(plan.left_out)
    try:
        events = [event for parcel in parcels if parcel.seq not in unread for event in decode_parcel(parcel.body)]
    except EventDecodeError as error:
        raise PlanError(f"a parcel of the fixed batch can no longer be read: {error}") from error
    kept = [event for at, event in enumerate(events) if at not in left_out]
    if len(kept) != len(plan.app_ids):
        raise PlanError(f"the fixed batch had {len(plan.app_ids):,} events, and is read as {len(kept):,}")
    rows = arrange_rows(kept, plan.app_ids, [plan.reasons.get(at, event.reason) for at, event in enumerate(kept)])
    if rows.refused:
        raise PlanError(f"{len(rows.refused):,} events of the fixed batch no longer fit the ledger")
    return rows


def _place(events: Sequence[UsageEvent], catalog: Catalog, left_out: dict[int, str]) -> dict[int, Sighted]:
    placed: dict[int, Sighted] = {}
    sightings: dict[int, Sighting] = {}
    for at, event in enumerate(events):
        if at in left_out:
            continue
        if event.app_key is None:
            placed[at] = Sighted(app_id=0, reason=None)
        elif not event.app_key or len(event.app_key) > _MAX_KEY:
            left_out[at] = "the app's key is empty or too long"
        else:
            sightings[at] = Sighting(
                identity=AppIdentity.from_key(event.app_key),
                title=event.title,
                categories=event.categories,
                ts_ms=event.ts_ms,
                received_ms=event.received_ms,
                key_id=event.key_id,
            )
    faults: dict[int, Exception] = {}
    order = list(sightings)
    for start in range(0, len(order), _SIGHTINGS):
        some = {at: sightings[at] for at in order[start : start + _SIGHTINGS]}
        placed.update(_sight(some, catalog, faults))
    if faults and len(faults) == len(sightings):
        # Nothing passes: then it is the catalog that is at fault, unless the complaint is about a value.
        for error in faults.values():
            if not isinstance(error, _ABOUT_VALUES):
                raise error
    for at, error in faults.items():
        left_out[at] = f"the catalog refuses it: {_named(error)}"
    return placed


def _sight(sightings: dict[int, Sighting], catalog: Catalog, faults: dict[int, Exception]) -> dict[int, Sighted]:
    """Ask the catalog about all sightings at once; when it chokes, halve them until those at fault stand alone."""
    try:
        return dict(zip(sightings, catalog.sight(list(sightings.values())), strict=True))
    except Exception as error:
        if isinstance(error, CatalogError) and not isinstance(error, CatalogFault):
            raise
        order = list(sightings)
        if len(order) == 1:
            faults[order[0]] = error
            return {}
    middle = len(order) // 2
    placed = _sight({at: sightings[at] for at in order[:middle]}, catalog, faults)
    return placed | _sight({at: sightings[at] for at in order[middle:]}, catalog, faults)


def _named(error: Exception) -> str:
    """Return the error's name and the first line of its text: drivers add statements and their values after it."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:_REASON]}"
