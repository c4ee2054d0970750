"""Events as the rows of one insert, each of its own app, as the drain arranges what fits."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tokenboard.event import UsageEvent
from tokenboard.event_table import table_of
from tokenboard.ledger import Rows, arrange_table


def arrange_rows(events: Sequence[UsageEvent], app_ids: Sequence[int], reasons: Sequence[str | None]) -> Rows:
    """Return events, all of which fit, as rows; ``app_ids`` has 0 for none, ``reasons`` says why none."""
    return arrange_table(table_of(events), np.array(app_ids, np.int64), pa.array(list(reasons), pa.string()))
