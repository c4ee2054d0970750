"""The formats of an answer: which one is asked for, and an answer's bytes in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec
from fastapi import Request

from tokenboard.api.parameters import Parameters
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

_ACCEPTED = {
    "application/json": Format.JSON,
    "text/csv": Format.CSV,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "application/vnd.apache.parquet": Format.PARQUET,
    "application/x-parquet": Format.PARQUET,
}
_MAX_ACCEPT = 20  # entries of an Accept header looked at
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Sheet:
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


def asked_format(request: Request, offered: Iterable[Format]) -> Format:
    """Return the format that a request asks for: ``format``, else the best of ``Accept``, else JSON.

    Raises QuestionError for a ``format`` that is not offered; an ``Accept`` that names none is answered with JSON.
    """
    names = [each.value for each in offered]
    if "format" in request.query_params:
        return Format(Parameters(request, ("format",)).choice("format", names, ""))
    accepted = _accepted(request.headers.get("accept", ""))
    return accepted if accepted in names else Format.JSON


def render(sheet: Sheet, form: Format) -> Rendered:
    """Return the sheet's bytes in a format; its meta goes into headers where the format has no place for it."""
    headers = {"Content-Type": MEDIA_TYPES[form]}
    if form is Format.JSON or sheet.table is None:
        body = _encoder.encode({"data": sheet.data, "meta": sheet.meta})
        headers["Content-Type"] = MEDIA_TYPES[Format.JSON]
    else:
        write = {Format.CSV: write_csv, Format.NDJSON: write_ndjson, Format.PARQUET: write_parquet}[form]
        body = write(sheet.table)
        for name in ("as_of", "start_date", "end_date"):
            if name in sheet.meta:
                headers["X-Tokenboard-" + name.replace("_", "-").title()] = str(sheet.meta[name])
        headers["Content-Disposition"] = f'attachment; filename="{sheet.name}.{form.value}"'
    return Rendered(body, f'"{blake2b(body, digest_size=16).hexdigest()}"', headers)


def matches(etag: str, if_none_match: str) -> bool:
    """Whether an ``If-None-Match`` names this ETag (RFC 9110, 13.1.2: by weak comparison)."""
    named = (each.strip().removeprefix("W/") for each in if_none_match.split(","))
    return any(each in {"*", etag} for each in named)


def _accepted(accept: str) -> Format:
    best, best_weight = Format.JSON, 0.0
    for entry in accept.split(",")[:_MAX_ACCEPT]:
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        form = _ACCEPTED.get(media, Format.JSON if media in {"*/*", "application/*"} else None)
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                weight = _weight(parameter[2:])
        if form is not None and weight > best_weight:
            best, best_weight = form, weight
    return best


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
