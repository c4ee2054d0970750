"""Files of usage events, read piece by piece as bodies of ``POST /usage``: NDJSON, JSON, CSV, TSV, Parquet.

    file ─▶ unpacked ─▶ lines or rows ─▶ events ─▶ pieces

A file that is cut short or damaged gives no piece beyond the damage, and an error: read it to its end before any of it
is taken.
"""

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, NamedTuple

import ijson
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tokenboard.cli.event_rows import MEMBERS, REQUIRED, RowFault, event_of, missing_columns, zoned
from tokenboard.cli.known_exports import KnownExport, find_export
from tokenboard.ingest.content_coding import MAX_BYTES
from tokenboard.ingest.reports import MAX_EVENTS, Report
from tokenboard.tables import unguarded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_BYTES = MAX_BYTES // 2
_FORMATS = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_PACKED = (".gz", ".zst")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MAX_REASON = 300
_LONG_LINE = 2_048
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999
_UNITS_OF_MS = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}

_encoder = msgspec.json.Encoder()
_report = msgspec.json.Decoder(Report)
_DAMAGED = (OSError, EOFError, ValueError, OverflowError, csv.Error, zlib.error, pa.ArrowException, zstd.ZstdError)


class FileFault(Exception):
    """A file of events cannot be read."""

    hint = (
        "Files are NDJSON (.ndjson, .jsonl), JSON, CSV or TSV with a head, or Parquet, with the names of POST /usage, "
        "which docs/api.md lists; all but Parquet also as .gz or .zst. Nothing of this file was taken."
    )


class FileUnreadable(FileFault):
    """A file cannot be opened."""

    hint = "Check the path and its permissions. Nothing of this file was taken."


@dataclass(frozen=True, slots=True)
class Piece:
    """Some events as NDJSON, and where they stand in the file.

    ``places[i]`` is the number of event i's ``unit`` (line, row, or item of an array), from 1; ``read`` is how much of
    the file is read, 0 to 1.
    """

    body: bytes
    unit: str
    places: Sequence[int]
    read: float

    @property
    def events(self) -> int:
        """How many events these are."""
        return len(self.places)

    def where(self, index: int) -> str:
        """Return where an event stands, such as ``line 5``."""
        return f"{self.unit} {self.places[index]:,}"


class _Event(NamedTuple):
    """One event as JSON, its place in the file, and how much of the file is read, where the reader knows."""

    line: bytes
    place: int
    read: float = 0.0


def pieces(path: Path) -> Iterator[Piece]:
    """Yield a file's events in order, in pieces that ``POST /usage`` takes.

    Raises:
        FileFault: it is not there, of no kind known here, cut short or damaged, or it holds what has no meaning.

    """
    kind, packed = _kind(path)
    with _told(path), path.open("rb") as file:
        size = path.stat().st_size
        if kind == "parquet":
            if packed:
                raise ValueError("Parquet is packed within; unpack the file itself")
            yield from _gather("row", _parquet(file), lambda read: read)
            return
        if packed and not size:
            raise ValueError("the file is empty, so it was cut short")
        plain = _unpack(file, packed)

        def read_so_far(_: float) -> float:
            return min(file.tell() / max(size, 1), 1.0)

        if kind in {"json", "ndjson"} and _first_byte(plain) == b"[":
            yield from _gather("item", _array(plain), read_so_far)
        elif kind in {"json", "ndjson"}:
            yield from _gather("line", _ndjson(plain), read_so_far)
        else:
            yield from _gather("line", _csv(plain, "\t" if kind == "tsv" else ","), read_so_far)


def _kind(path: Path) -> tuple[str, str]:
    """Return the format of a file and how it is packed, by its endings in any case."""
    endings = [ending.lower() for ending in path.suffixes]
    packed = endings.pop() if endings and endings[-1] in _PACKED else ""
    kind = _FORMATS.get(endings[-1]) if endings else None
    if kind is None:
        raise FileFault(f"{path} is no kind of file known here")
    return kind, packed


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Return whatever is wrong with a file as one line that names it."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise FileFault(f"cannot read {path}: it is not UTF-8 text ({error.reason})") from error
    except EOFError as error:
        raise FileFault(f"cannot read {path}: it is cut short") from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise FileUnreadable(f"cannot read {path}: {error.strerror}") from error
    except _DAMAGED as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise FileFault(f"cannot read {path}: {reason[:_MAX_REASON]}") from error


def _gather(unit: str, events: Iterable[_Event], read: Callable[[float], float]) -> Iterator[Piece]:
    lines: list[bytes] = []
    places: list[int] = []
    size, share = 0, 0.0
    for line, place, share in events:
        if len(line) > MAX_BYTES:
            raise ValueError(f"{unit} {place:,} is larger than {MAX_BYTES:,} bytes")
        if len(lines) == MAX_EVENTS or (lines and size + len(line) >= _BYTES):
            yield Piece(b"\n".join(lines), unit, places, read(share))
            lines, places, size = [], [], 0
        lines.append(line)
        places.append(place)
        size += len(line) + 1
    if lines:
        yield Piece(b"\n".join(lines), unit, places, read(share))


def _unpack(file: IO[bytes], packed: str) -> io.BufferedReader:
    """Return the plain bytes; what the file begins with counts for more than its name."""
    start = file.read(4)
    file.seek(0)
    if packed == ".gz" or (not packed and start.startswith(_GZIP)):
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
    if packed == ".zst" or (not packed and start == _ZSTD):
        return io.BufferedReader(zstd.ZstdFile(file))
    return io.BufferedReader(file)  # type: ignore[arg-type]  # a file opened for reading bytes


def _first_byte(file: io.BufferedReader) -> bytes:
    """Return the first byte that is no white space, without taking it."""
    start = file.peek(1024).removeprefix(_BOM).lstrip(_BLANK)
    return start[:1]


# --- lines of JSON --------------------------------------------------------------------------------------------------


def _ndjson(file: io.BufferedReader) -> Iterator[_Event]:
    number = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        if len(line) > MAX_BYTES:
            raise ValueError(f"line {number:,} is longer than {MAX_BYTES:,} bytes")
        if number == 1:
            line = line.removeprefix(_BOM)
        if stripped := line.strip():
            if stripped.startswith(b"["):
                # At the beginning of a piece it would be taken for all of it.
                raise ValueError(f"line {number:,} is an array, not an event")
            yield _Event(_as_event(stripped, number), number)


def _as_event(line: bytes, number: int) -> bytes:
    """Return a line as ``POST /usage`` takes it; one that cannot be read stays as it is, to be refused by name."""
    try:
        report = _report.decode(line)
        if isinstance(report.ts, str) and (ts := zoned(report.ts)) != report.ts:
            return _encoder.encode(msgspec.structs.replace(report, ts=ts))
        # Most likely a prompt or an answer stands in a line so long: it is none of ours, and does not travel on.
        return line if len(line) < _LONG_LINE else _encoder.encode(report)
    except (msgspec.DecodeError, OverflowError, UnicodeDecodeError, RecursionError):
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return line
        return _encode(row, find_export(row), "line", number) if isinstance(row, dict) else line


def _array(file: io.BufferedReader) -> Iterator[_Event]:
    if file.peek(3).startswith(_BOM):
        file.read(3)
    try:
        for number, row in enumerate(ijson.items(file, "item"), 1):
            if not isinstance(row, dict):
                raise ValueError(f"item {number:,} is not a JSON object")
            yield _Event(_encode(row, find_export(row), "item", number), number)
    except ijson.IncompleteJSONError as error:
        raise ValueError(f"the array is cut short or damaged: {error}") from error
    except ijson.JSONError as error:
        raise ValueError(f"the array is not valid JSON: {error}") from error


# --- tables ---------------------------------------------------------------------------------------------------------


def _csv(file: io.BufferedReader, delimiter: str) -> Iterator[_Event]:
    csv.field_size_limit(MAX_BYTES)  # Python's own limit is 128 KiB, and counts for cells that nobody reads, too.
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        # Empty rows may stand before the head, too.
        names = next((cells for row in rows if any(cells := [cell.strip() for cell in row])), None)
        if names is None:
            return
        if len(names) == 1 and (other := next((mark for mark in ";\t,|" if mark in names[0]), "")):
            raise ValueError(f"the head is one cell; separate cells by {_MARKS[delimiter]}, not by {_MARKS[other]}")
        export = _layout(names)
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise ValueError(f"line {rows.line_num:,}: {error}") from error
            if row is None:
                return
            if not any(map(str.strip, row)):
                continue
            if len(row) != len(names):
                raise ValueError(f"line {rows.line_num:,} has {len(row)} cells, the head has {len(names)}")
            line, texts = rows.line_num, map(unguarded, row)
            yield _Event(_encode(dict(zip(names, texts, strict=True)), export, "line", line), line)
    finally:
        # The file is its opener's, who wants to know how far it is read.
        text.detach()


def _parquet(file: IO[bytes]) -> Iterator[_Event]:
    table = pq.ParquetFile(file)
    names = table.schema_arrow.names
    export = _layout(names)
    wanted = [name for name in names if name in _read_by(export)]
    total, done = max(table.metadata.num_rows, 1), 0
    for batch in table.iter_batches(batch_size=MAX_EVENTS, columns=wanted):
        columns = [_cells(name, column, done) for name, column in zip(wanted, batch.columns, strict=True)]
        for number, cells in enumerate(zip(*columns, strict=True), done + 1):
            line = _encode(dict(zip(wanted, cells, strict=True)), export, "row", number)
            yield _Event(line, number, number / total)
        done += batch.num_rows


def _cells(name: str, column: pa.Array, before: int) -> list[Any]:
    """Return the cells of a column; times are read as numbers, as Python's own times end with the year 9999."""
    if not pa.types.is_timestamp(column.type):
        cells: list[Any] = column.to_pylist()
        return cells
    times, parts = _UNITS_OF_MS[column.type.unit]
    cells = []
    for number, value in enumerate(column.cast(pa.int64()).to_pylist(), before + 1):
        ms = None if value is None else value * times // parts
        if ms is not None and not _EARLIEST_MS <= ms <= _LATEST_MS:
            raise ValueError(f"row {number:,}, {name}: the time is out of range, beyond the years 1 to 9999")
        cells.append(None if ms is None else _EPOCH + timedelta(milliseconds=ms))
    return cells


def _layout(names: Collection[str]) -> KnownExport | None:
    """Return whose columns these are, None for ours.

    Raises:
        ValueError: one that is read is named twice, or one that is needed is not there.

    """
    export = find_export(names)
    names = list(names)
    if twice := [name for name in _read_by(export) if names.count(name) > 1]:
        raise ValueError(f"the column {twice[0]} is there twice")
    if export is None and (missing := missing_columns(names)):
        raise ValueError(f"there is no column {', '.join(missing)}; the head needs {', '.join(REQUIRED)}")
    return export


def _read_by(export: KnownExport | None) -> Sequence[str]:
    return MEMBERS if export is None else export.reads


def _encode(row: Mapping[str, Any], export: KnownExport | None, unit: str, number: int) -> bytes:
    try:
        return _encoder.encode(event_of(row if export is None else export.read(row)))
    except RowFault as fault:
        raise ValueError(f"{unit} {number:,}, {fault}") from fault
