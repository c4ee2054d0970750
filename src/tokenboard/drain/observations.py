"""A table of events as the catalog gets it: a few observations for each app, title and maker, not thousands.

What the catalog makes of an app's events depends, for each title and set of categories, on the first of them, the
earliest and the latest only: the order in which apps and categories come, the time an app was first seen, the title
that was used last. These are kept, in their order; the others say nothing new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tokenboard.attribution import AppIdentity
from tokenboard.catalog import Observation

_MAX_KEY = 900  # a canonical URL is 512 characters at most, a title 100, case-folded 300
_DAY_MS = 86_400_000
_MOST = 2**62  # combined numbers stay below
_OBSERVED = ("app_key", "title", "categories", "ts_ms", "received_ms", "key_id")


@dataclass(frozen=True, slots=True)
class ObservationGroups:
    """Observations in the order of their events, the group of each, and the group of every row: -1 for none.

    ``unfit`` are the rows whose app's key is not valid.
    """

    observations: list[Observation]
    groups: list[int]
    group_of: NDArray[np.int64]
    unfit: NDArray[np.int64]


def group_observations(table: pa.Table, skipped: NDArray[np.bool_]) -> ObservationGroups:
    """Return the observations of a table of events, ``skipped`` rows left out.

    Rows of one group have one app, title, set of categories and maker: what the catalog answers to one holds for all.
    """
    keys, names = _codes(table.column("app_key"))
    unfit_key = np.array([not 0 < len(name) <= _MAX_KEY for name in names], np.bool_)
    named = (keys >= 0) & ~skipped
    unfit = named & unfit_key[keys] if names else np.zeros(table.num_rows, np.bool_)
    rows = np.flatnonzero(named & ~unfit)
    code = np.zeros(rows.size, np.int64)
    size = 1
    received_day = table.column("received_ms").to_numpy() // _DAY_MS
    parts = (keys, *(_codes(table.column(name))[0] for name in ("title", "categories")))
    for part in (*parts, table.column("key_id").to_numpy().astype(np.int64), received_day):
        some = part[rows]
        least = int(some.min()) if some.size else 0
        span = int(some.max()) - least + 1 if some.size else 1
        if size * span > _MOST:
            _, code = np.unique(code, return_inverse=True)
            size = rows.size
        code = code * span + (some - least)
        size *= span
    _, first, code = np.unique(code, return_index=True, return_inverse=True)
    group_of = np.full(table.num_rows, -1, np.int64)
    group_of[rows] = code
    at = _representatives(rows, code, first, table.column("ts_ms").to_numpy()[rows])
    seen = table.select(list(_OBSERVED)).take(pa.array(at)).to_pylist()
    observations = [
        Observation(
            identity=AppIdentity.from_key(one["app_key"]),
            title=one["title"],
            categories=tuple(one["categories"].split("\n")) if one["categories"] else (),
            ts_ms=one["ts_ms"],
            received_ms=one["received_ms"],
            key_id=one["key_id"],
        )
        for one in seen
    ]
    return ObservationGroups(observations, group_of[at].tolist(), group_of, np.flatnonzero(unfit))


def _representatives(
    rows: NDArray[np.int64], code: NDArray[np.int64], first: NDArray[np.intp], ts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the rows that stand for all, in order: of each group the first, the earliest, the last of the latest."""
    if not rows.size:
        return rows
    # Stable: rows of one group and time stay in their order.
    by_time = np.lexsort((ts, code))
    ends = np.flatnonzero(np.diff(code[by_time], append=-1))
    begins = np.concatenate(([0], ends[:-1] + 1))
    return rows[np.unique(np.concatenate((first, by_time[begins], by_time[ends])))]


def _codes(column: "pa.ChunkedArray[Any]") -> tuple[NDArray[np.int64], Sequence[str]]:
    """Return the number of each value, -1 for null, and the values."""
    encoded: Any = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers, encoded.dictionary.to_pylist()
