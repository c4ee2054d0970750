"""Writing a table as CSV (RFC 4180), NDJSON and Parquet.

Files of one table hold the same figures: integers are exact in each. In CSV a list is its items with commas between; a
text that a spreadsheet would take for a formula is guarded. What the
figures are of is in Parquet's key-value metadata; a CSV's head stays free of it, so that every reader takes it.
"""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tokenboard.tables.formulas import guarded
from tokenboard.tables.table import Column, Kind, Table

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.COUNT: pa.int64(),
    Kind.BIG: pa.decimal128(38, 0),
    Kind.RATIO: pa.float64(),
    Kind.DAY: pa.date32(),
    Kind.TIME: pa.timestamp("ms", "UTC"),
    Kind.MONEY: pa.decimal128(38, 12),
    Kind.LIST: pa.list_(pa.string()),
}

_encoder = msgspec.json.Encoder()


def write_csv(table: Table) -> bytes:
    """Return the table as CSV: UTF-8, a head of column names, CRLF line ends, None as nothing."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(column.name for column in table.columns)
    for row in table.rows:
        writer.writerow([_as_cell(value) for value in row])
    return out.getvalue().encode()


def write_ndjson(table: Table) -> bytes:
    """Return the table as one JSON object a line. Columns of big integers are decimal strings throughout."""
    names = [column.name for column in table.columns]
    kinds = [column.kind for column in table.columns]
    lines: Iterable[bytes] = (
        _encoder.encode({name: _as_json(value, kind) for name, kind, value in zip(names, kinds, row, strict=True)})
        for row in table.rows
    )
    return b"".join(line + b"\n" for line in lines)


def write_parquet(table: Table) -> bytes:
    """Return the table as Parquet, compressed with zstd."""
    columns = list(zip(*table.rows, strict=True)) if table.rows else [()] * len(table.columns)
    arrays = [_as_array(column, values) for column, values in zip(table.columns, columns, strict=True)]
    schema = pa.schema(
        [pa.field(column.name, _TYPES[column.kind]) for column in table.columns],
        metadata={f"tokenboard.{name}": value for name, value in table.meta.items()},
    )
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out, compression="zstd")
    return out.getvalue()


def _as_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, (list, tuple)):
        return guarded(",".join(value))
    return str(value)


def _as_json(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.BIG:
            return str(value)
        case Kind.MONEY:
            return f"{Decimal(value).normalize():f}"
        case Kind.DAY:
            return value.isoformat()
        case Kind.TIME:
            return instant(value)
        case Kind.LIST:
            return list(value)
        case _:
            return value


def _as_array(column: Column, values: Iterable[Any]) -> pa.Array:
    if column.kind is Kind.BIG:
        values = (None if value is None else Decimal(value) for value in values)
    elif column.kind is Kind.LIST:
        values = (None if value is None else list(value) for value in values)
    return pa.array(list(values), type=_TYPES[column.kind])


def instant(moment: datetime) -> str:
    """Return a time as every answer writes it: UTC, whole seconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
