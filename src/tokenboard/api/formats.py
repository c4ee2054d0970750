"""The formats of an answer: which one is asked for, and an answer's bytes in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec
from fastapi import Request

from tokenboard.http_fields import preferred
from tokenboard.query import Parameters
from tokenboard.tables import Table, write_csv, write_ndjson, write_parquet


class Format(StrEnum):
    """What ``format`` may be."""

    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}
"""What each format is sent as."""

_OFFERED = {
    "application/json": Format.JSON,
    "text/csv": Format.CSV,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "application/vnd.apache.parquet": Format.PARQUET,
    "application/x-parquet": Format.PARQUET,
}
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Payload:
    """An answer before it takes a form: ``data`` and ``meta`` make the JSON, ``table`` the files, under ``name``."""

    name: str
    data: Any
    meta: Mapping[str, Any]
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer's bytes, and the headers that go with them."""

    body: bytes
    etag: str
    headers: dict[str, str] = field(default_factory=dict)


def requested_format(request: Request, offered: Iterable[Format]) -> Format:
    """Return the format that a request asks for: ``format``, else the best of ``Accept``, else JSON.

    Raises ParameterError for a ``format`` that is not offered; an ``Accept`` that names none is answered with JSON.
    """
    given = tuple(offered)
    if "format" in request.query_params:
        parameters = Parameters(request.query_params.multi_items(), ("format",))
        return parameters.choice("format", Format.JSON, given)
    types = [media for media, form in _OFFERED.items() if form in given]
    chosen = preferred(request.headers.getlist("accept"), types)
    return Format.JSON if chosen is None else _OFFERED[chosen]


def render(payload: Payload, form: Format) -> Rendered:
    """Return the payload's bytes in a format; its meta goes into headers where the format has no place for it."""
    headers = {"Content-Type": MEDIA_TYPES[form]}
    if form is Format.JSON or payload.table is None:
        body = _encoder.encode({"data": payload.data, "meta": payload.meta})
        headers["Content-Type"] = MEDIA_TYPES[Format.JSON]
    else:
        write = {Format.CSV: write_csv, Format.NDJSON: write_ndjson, Format.PARQUET: write_parquet}[form]
        body = write(payload.table)
        for name in ("as_of", "start_date", "end_date"):
            if name in payload.meta:
                headers["X-Tokenboard-" + name.replace("_", "-").title()] = str(payload.meta[name])
        headers["Content-Disposition"] = f'attachment; filename="{payload.name}.{form.value}"'
    return Rendered(body, f'"{blake2b(body, digest_size=16).hexdigest()}"', headers)
