"""Files of usage events, read piece by piece as bodies of ``POST /usage``: NDJSON, CSV, Parquet, packed or not."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

MAX_LINE = 1_000_000
"""Bytes of one line at most."""

_EVENTS = 10_000
_BYTES = 8 * 1024 * 1024
_COLUMNS = (
    "id", "ts", "referer", "title", "categories", "model", "provider", "prompt_tokens", "completion_tokens",
    "cached_tokens", "reasoning_tokens", "cost", "status", "latency_ms",
)  # fmt: skip
_NUMBERS = frozenset(
    {"prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "status", "latency_ms"}
)
_FORMATS = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
_PACKED = (".gz", ".zst")
_encoder = msgspec.json.Encoder()


class FileFault(Exception):
    """A file of events cannot be read."""

    hint = (
        "Files are NDJSON (.ndjson, .jsonl), CSV with a head, or Parquet, with the names of POST /usage; .gz or .zst."
    )


@dataclass(frozen=True, slots=True)
class Piece:
    """Some events as NDJSON: the first one's number in the file, from 1, how many, and how much of the file is read.

    ``read`` is 0 to 1.
    """

    body: bytes
    first: int
    events: int
    read: float


def pieces(path: Path) -> Iterator[Piece]:
    """Yield a file's events in order, in pieces that ``POST /usage`` takes.

    Raises:
        FileFault: it is not there, of no kind known here, or damaged.

    """
    packed = path.suffix if path.suffix in _PACKED else ""
    kind = _FORMATS.get(Path(path.stem).suffix if packed else path.suffix)
    if kind is None:
        raise FileFault(f"{path} is no kind of file known here")
    try:
        with path.open("rb") as file:
            size = max(path.stat().st_size, 1)
            if kind == "parquet":
                if packed:
                    raise FileFault(f"{path}: Parquet is packed within; unpack the file itself")
                yield from _gather(_parquet(file), lambda share: share)
                return
            plain = _unpack(file, packed)
            lines = _ndjson(plain) if kind == "ndjson" else _csv(plain)
            yield from _gather(((line, 0.0) for line in lines), lambda _: min(file.tell() / size, 1.0))
    except (OSError, EOFError, ValueError, csv.Error, pa.ArrowException, zstandard.ZstdError) as error:
        raise FileFault(f"cannot read {path}: {error}") from error


def _gather(lines: Iterable[tuple[bytes, float]], read: Any) -> Iterator[Piece]:
    gathered: list[bytes] = []
    size, first, share = 0, 1, 0.0
    for line, share in lines:
        gathered.append(line)
        size += len(line)
        if len(gathered) == _EVENTS or size >= _BYTES:
            yield Piece(b"\n".join(gathered), first, len(gathered), read(share))
            first += len(gathered)
            gathered, size = [], 0
    if gathered:
        yield Piece(b"\n".join(gathered), first, len(gathered), read(share))


def _unpack(file: IO[bytes], packed: str) -> IO[bytes]:
    if packed == ".gz":
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
    if packed == ".zst":
        return io.BufferedReader(
            zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
        )
    return file


def _ndjson(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise ValueError(f"a line is longer than {MAX_LINE:,} bytes")
        if stripped := line.strip():
            yield stripped


def _csv(file: IO[bytes]) -> Iterator[bytes]:
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        rows = csv.reader(text, strict=True)
        names = next(rows, [])
        for row in rows:
            if row:
                if len(row) != len(names):
                    raise ValueError(f"line {rows.line_num:,} has {len(row)} cells, the head has {len(names)}")
                yield _line({name: _cell(name, cell) for name, cell in zip(names, row, strict=True) if cell})
    finally:
        # The file is its opener's, who wants to know how far it is read.
        text.detach()


def _cell(name: str, text: str) -> Any:
    """Return a cell as JSON has it; what is no number stays text, so that it is refused by name."""
    if name in _NUMBERS or name == "ts":
        try:
            return int(text)
        except ValueError:
            try:
                return float(text) if name != "ts" or text.replace(".", "", 1).isdigit() else text
            except ValueError:
                return text
    return text


def _parquet(file: IO[bytes]) -> Iterator[tuple[bytes, float]]:
    table = pq.ParquetFile(file)
    names = [name for name in _COLUMNS if name in table.schema_arrow.names]
    total, done = max(table.metadata.num_rows, 1), 0
    for batch in table.iter_batches(batch_size=_EVENTS, columns=names):
        done += batch.num_rows
        for row in batch.to_pylist():
            yield _line({name: _value(value) for name, value in row.items() if value is not None}), done / total


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        # A time without a zone is UTC, as Parquet files mostly mean it.
        return value.isoformat() if value.tzinfo else f"{value.isoformat()}Z"
    return str(value) if isinstance(value, Decimal) else value


def _line(event: dict[str, Any]) -> bytes:
    return _encoder.encode(event)
