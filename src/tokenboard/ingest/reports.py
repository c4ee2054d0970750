"""The body of ``POST /usage``: events metered elsewhere, parsed into facts, or every bad one named.

body ─▶ NDJSON lines or array items ─▶ one report each ─▶ Facts | Refused
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from tokenboard.attribution import Attribution, AttributionOptions, attribute
from tokenboard.event import Source
from tokenboard.ingest.ingest import Refused
from tokenboard.intake import MAX_MODEL, MAX_PROVIDER, Caller, Facts, RefusalReason
from tokenboard.problem import Problem
from tokenboard.usage import MAX_USD, Usage, UsageSource, usd

MAX_EVENTS = 10_000
"""Events in one request at most (data-api: POST /usage)."""

MAX_ID = 128
"""Longest id, in characters."""

_MAX_REFERER = 8_192
_MAX_COMMAS = 1_000_000
_MS_FROM = 10**11  # Unix seconds reach this in the year 5138, milliseconds passed it in 1973
_LAST_NUMBER = 10**14
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LINE = re.compile(rb"\S[^\n]*")

# Half a surrogate pair, as an escape, is no character; yet clients that cut texts by UTF-16 units send it, and the JSON
# decoder takes none. It is decoded as a noncharacter in its place, which is then looked for.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u([dD][89a-fA-F][\da-fA-F]{2})|.)", re.DOTALL
)
_HALF = "\ufdd0"
_HALF_ESCAPED = rb"\ufdd0"


class Report(msgspec.Struct, gc=False):
    """One event as it is sent; members that are not named here are not read, and null is as good as absent.

    Counts may be written as ``5.0``, as writers do whose columns have holes.
    """

    id: str
    ts: str | int | float
    model: str
    prompt_tokens: int | float
    completion_tokens: int | float
    referer: str | None = None
    title: str | None = None
    categories: str | None = None
    provider: str | None = None
    cached_tokens: int | float | None = None
    reasoning_tokens: int | float | None = None
    cost: str | int | float | None = None
    status: int | float | None = None
    latency_ms: int | float | None = None
    tool_calls: bool | int | float | None = None


class _Named(msgspec.Struct):
    id: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The facts of the good events with their positions in the body, and every bad event, in order."""

    facts: list[Facts]
    positions: list[int]
    refused: list[Refused]


@dataclass(frozen=True, slots=True)
class _Bad(Exception):
    field: str
    reason: RefusalReason
    message: str


_KINDS = {
    "ts": "a time, as a string or a number",
    "cost": "a number, or a decimal string",
    "latency_ms": "a number",
    "tool_calls": "true, false, or how many",
    **dict.fromkeys(
        ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "status"), "a whole number"
    ),
}
"""What a member has to be, where it is not a string."""

_report = msgspec.json.Decoder(Report)
_reports = msgspec.json.Decoder(list[Report])
_items = msgspec.json.Decoder(list[msgspec.Raw])
_named = msgspec.json.Decoder(_Named)
_at_field = re.compile(r" - at `\$\.([a-z_]+)`")
_missing = re.compile(r"missing required field `([a-z_]+)`")
_DECODING = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse_reports(body: bytes, *, caller: Caller, options: AttributionOptions) -> Parsed:
    """Parse all events of a body, as NDJSON or a JSON array.

    Raises:
        Problem: 400 when the body as a whole is neither NDJSON nor a JSON array, 413 past `MAX_EVENTS`.

    """
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not body:
        raise Problem(400, "The body is empty: send one JSON event per line (NDJSON), or a JSON array of events.")
    halves = False
    if _SURROGATE.search(body):
        body, halves = _without_halves(body)
    reports = _array(body) if body.startswith(b"[") else _lines(body)
    facts: list[Facts] = []
    positions: list[int] = []
    refused: list[Refused] = []
    maker = _FactsMaker(caller, options, halves=halves)
    for index, given in enumerate(reports):
        try:
            facts.append(maker.make(given if isinstance(given, Report) else _read(given)))
            positions.append(index)
        except _Bad as bad:
            refused.append(Refused(index, _id_of(given), bad.field, bad.reason, bad.message))
    return Parsed(facts, positions, refused)


def _without_halves(body: bytes) -> tuple[bytes, bool]:
    """Return the body with `_HALF` for every unpaired surrogate, and whether there was one."""
    found = False

    def replace(match: re.Match[bytes]) -> bytes:
        nonlocal found
        if match[1] is None:
            return match[0]
        found = True
        return _HALF_ESCAPED

    return _ESCAPE.sub(replace, body), found


def _lines(body: bytes) -> Sequence[Report | bytes]:
    """Return a report per line, or the lines as they are when some line is no report."""
    lines: list[bytes] = []
    for line in _LINE.finditer(body):
        lines.append(line[0])
        if len(lines) > MAX_EVENTS:
            raise _too_many()
    try:
        reports = _report.decode_lines(body)
    except _DECODING:
        return lines
    # One report over several lines, or several in one line, are read by the decoder, but they are no NDJSON.
    return reports if len(reports) == len(lines) else lines


def _array(body: bytes) -> Sequence[Report | bytes]:
    """Return a report per item, or the items as they are when some item is no report."""
    items: Sequence[Report | bytes]
    try:
        items = _reports.decode(body)
    except _DECODING as error:
        # An item costs far more memory than the two bytes it may have.
        if body.count(b",") > _MAX_COMMAS:
            raise Problem(400, f"The body has too many values to name all bad events; one is: {error}.") from error
        try:
            items = _items.decode(body)
        except _DECODING as damage:
            raise Problem(400, f"The body is not a valid JSON array: {damage}.") from damage
    if len(items) > MAX_EVENTS:
        raise _too_many()
    return items


def _too_many() -> Problem:
    return Problem(413, f"The body holds more than {MAX_EVENTS:,} events: send several smaller ones.")


def _read(item: bytes) -> Report:
    try:
        return _report.decode(item)
    except msgspec.ValidationError as error:
        text = str(error)
        if missing := _missing.search(text):
            raise _Bad(missing[1], RefusalReason.MISSING, f"{missing[1]} is required") from error
        if at := _at_field.search(text):
            raise _Bad(at[1], RefusalReason.WRONG_TYPE, f"{at[1]} must be {_KINDS.get(at[1], 'a string')}") from error
        raise _Bad("", RefusalReason.NOT_AN_OBJECT, "an event must be a JSON object") from error
    except _DECODING as error:
        raise _Bad("", RefusalReason.INVALID_JSON, f"not valid JSON: {error}") from error


def _id_of(item: Report | bytes) -> str | None:
    try:
        return (item if isinstance(item, Report) else _named.decode(item)).id[:MAX_ID]
    except _DECODING:
        return None


class _FactsMaker:
    """Makes the facts of one caller's reports; the apps of one body are few, so each is attributed once.

    ``halves``: texts may hold `_HALF`. It is dropped, as every character of category C, but ids and models are names
    that must stay apart.
    """

    def __init__(self, caller: Caller, options: AttributionOptions, *, halves: bool) -> None:
        self._caller = caller
        self._options = options
        self._halves = halves
        self._attributions: dict[tuple[str | None, str | None, str | None], Attribution] = {}

    def make(self, report: Report) -> Facts:
        """Return the facts; raises _Bad for the first member that is out of bounds."""
        if self._halves:
            _drop_halves(report)
        _bound("id", report.id, MAX_ID)
        _bound("model", report.model, MAX_MODEL)
        if report.provider:
            _bound("provider", report.provider, MAX_PROVIDER)
        status = 200 if report.status is None else _whole("status", report.status)
        if not 100 <= status <= 599:
            raise _Bad("status", RefusalReason.OUT_OF_RANGE, "status must be an HTTP status, 100 to 599")
        cost = None if report.cost is None else usd(report.cost)
        if cost is None and report.cost is not None:
            message = f"cost must be USD, 0 to {MAX_USD:,}, as a number or a decimal string"
            raise _Bad("cost", RefusalReason.OUT_OF_RANGE, message)
        latency = report.latency_ms
        if latency is not None and not 0 <= latency < 2**32:
            raise _Bad("latency_ms", RefusalReason.OUT_OF_RANGE, "latency_ms must be 0 or more milliseconds")
        calls = report.tool_calls
        if calls is not None and _whole("tool_calls", calls) < 0:
            raise _Bad(
                "tool_calls", RefusalReason.OUT_OF_RANGE, "tool_calls must be true, false, or how many: 0 or more"
            )
        return Facts(
            id=report.id,
            ts_ms=_time(report.ts),
            source=Source.USAGE_API,
            caller=self._caller,
            attribution=self._attribute(report.referer, report.title, report.categories),
            model=report.model,
            provider=report.provider or "",
            endpoint="",
            streamed=False,
            status=status,
            failed=not 200 <= status <= 299,
            usage=Usage(
                prompt_tokens=_whole("prompt_tokens", report.prompt_tokens),
                completion_tokens=_whole("completion_tokens", report.completion_tokens),
                cached_tokens=_maybe_whole("cached_tokens", report.cached_tokens),
                reasoning_tokens=_maybe_whole("reasoning_tokens", report.reasoning_tokens),
                cost=cost,
                source=UsageSource.REPORTED,
            ),
            latency_ms=None if latency is None else round(latency),
            tool_calls=None if calls is None else bool(calls),
        )

    def _attribute(self, referer: str | None, title: str | None, categories: str | None) -> Attribution:
        given = (referer, title, categories)
        known = self._attributions.get(given)
        if known is None:
            names = (b"http-referer", b"x-openrouter-title", b"x-openrouter-categories")
            headers = _headers(zip(names, given, strict=True))
            known = self._attributions[given] = attribute(headers, self._options, key_label=self._caller.label)
        return known


def _headers(given: Iterable[tuple[bytes, str | None]]) -> list[tuple[bytes, bytes]]:
    return [(name, value[:_MAX_REFERER].encode()) for name, value in given if value is not None]


def _drop_halves(report: Report) -> None:
    for field in ("id", "model"):
        if _HALF in getattr(report, field):
            message = f"{field} holds half of a surrogate pair, which is no character"
            raise _Bad(field, RefusalReason.BAD_CHARACTER, message)
    for field in ("referer", "title", "categories", "provider"):
        text = getattr(report, field)
        if text is not None:
            setattr(report, field, text.replace(_HALF, ""))


def _maybe_whole(field: str, number: float | None) -> int | None:
    return None if number is None else _whole(field, number)


def _whole(field: str, number: float) -> int:
    if type(number) is int:
        return number
    if not float(number).is_integer():
        raise _Bad(field, RefusalReason.WRONG_TYPE, f"{field} must be a whole number")
    return int(number)


def _bound(field: str, text: str, limit: int) -> None:
    if not text or text.isspace():
        raise _Bad(field, RefusalReason.EMPTY, f"{field} must not be empty")
    if len(text) > limit:
        raise _Bad(field, RefusalReason.TOO_LONG, f"{field} must be at most {limit} characters")


def _time(given: str | float) -> int:
    """Return UTC epoch milliseconds, rounded down, of an RFC 3339 time with an offset, or of Unix seconds or ms."""
    if isinstance(given, int | float):
        if not 0 <= given < _LAST_NUMBER:
            raise _Bad("ts", RefusalReason.BAD_TIME, "ts as a number must be Unix seconds or milliseconds")
        # By way of microseconds, as 1778543999.123 is a little less than that in binary.
        return int(given) if given >= _MS_FROM else round(given * 1_000_000) // 1000
    if _RFC3339.fullmatch(given) is None:
        raise _Bad("ts", RefusalReason.BAD_TIME, "ts must be RFC 3339 with an offset, such as 2026-05-11T23:59:59.123Z")
    try:
        return (datetime.fromisoformat(given.upper()) - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError) as error:
        raise _Bad("ts", RefusalReason.BAD_TIME, "ts is not a real time") from error
