"""Many events as the columns of one Arrow table, as the ledger takes them; and parcels of either kind.

A parcel, the bytes in the spool, holds events one by one (``tokenboard.event``) or by columns.
"""

from tokenboard.event_table.parcel import COLUMNS_VERSION, decode_columns, decode_parcel, encode_columns, is_by_columns
from tokenboard.event_table.table import COLUMNS, MISFITS, event_table, events_of, table_of

__all__ = [
    "COLUMNS",
    "COLUMNS_VERSION",
    "MISFITS",
    "decode_columns",
    "decode_parcel",
    "encode_columns",
    "event_table",
    "events_of",
    "is_by_columns",
    "table_of",
]
