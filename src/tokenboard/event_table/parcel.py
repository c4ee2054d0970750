"""Parcels of events by columns: MessagePack ``[version, bytes]``, these an Arrow IPC stream; and of either kind."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import pyarrow as pa

from tokenboard.event import EventDecodeError, UsageEvent, decode_events
from tokenboard.event.encoding import DAMAGE
from tokenboard.event_table.table import SCHEMA, events_of

COLUMNS_VERSION = 102
"""Written in front of a parcel of columns: 101 and on are its versions. 101 has no column ``tool_calls``; it is read
as one in which these are unknown."""

_REASON = 200  # characters of a decoder's complaint, which may quote the bytes


_encoder = msgspec.msgpack.Encoder()
_parcel = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
_columns = msgspec.msgpack.Decoder(memoryview)
_LACKING: Mapping[int, frozenset[str]] = MappingProxyType(
    {101: frozenset({"tool_calls"}), COLUMNS_VERSION: frozenset()}
)
_COLUMNS_HEADS = tuple(b"\x92" + _encoder.encode(version) for version in _LACKING)


def encode_columns(table: pa.Table) -> bytes:
    """Return the bytes that hold a table of events: MessagePack ``[version, bytes]``, these an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as stream:
        stream.write_table(table)
    return _encoder.encode((COLUMNS_VERSION, memoryview(sink.getvalue())))


def is_by_columns(body: bytes) -> bool:
    """Whether a parcel holds columns, by its first bytes."""
    return body.startswith(_COLUMNS_HEADS)


def decode_parcel(body: bytes) -> tuple[UsageEvent, ...]:
    """Return the events of one parcel of either kind.

    Raises:
        EventDecodeError: the bytes are damaged, or of an unknown schema version.

    """
    if is_by_columns(body):
        return tuple(events_of(decode_columns(body)))
    return decode_events(body)


def decode_columns(body: bytes) -> pa.Table:
    """Return the table in a parcel of columns; it may share memory with ``body``.

    Raises:
        EventDecodeError: the bytes are damaged, or their columns are not the ones of this version.

    """
    try:
        version, content = _parcel.decode(body)
        lacking = _LACKING[version]
        with pa.ipc.open_stream(_columns.decode(content)) as stream:
            table = stream.read_all()
        table.validate()
    except (*DAMAGE, pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise EventDecodeError(f"not a parcel of usage events: {str(error)[:_REASON]}") from error
    if table.schema != pa.schema([column for column in SCHEMA if column.name not in lacking]):
        raise EventDecodeError("not a parcel of usage events: its columns are others")
    for column in SCHEMA:
        if column.name in lacking:
            table = table.append_column(column, pa.nulls(table.num_rows, column.type))
    return table.select(SCHEMA.names)
