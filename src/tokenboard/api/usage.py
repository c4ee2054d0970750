"""``POST /usage``: the way in for usage metered elsewhere."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from threading import Lock

import msgspec
from fastapi import APIRouter, Request, Response

from tokenboard.api.services import Services
from tokenboard.api.upkeep import require_proof
from tokenboard.http_fields import content_codings
from tokenboard.ingest import MAX_BYTES, Refused, decode_body, parse_reports
from tokenboard.intake import OPERATOR, Caller, Dropped, RefusalReason
from tokenboard.keys import Scope
from tokenboard.problem import Problem
from tokenboard.workers import Workers

THREADS = 4
"""Bodies taken at one time; reading them is done one after the other, writing them together."""

MAX_NAMED = 20
"""Bad events named in one answer at most."""

_encoder = msgspec.json.Encoder()
_reading = Lock()


def router(services: Services) -> APIRouter:
    """Return the one route."""
    routes = APIRouter()
    workers = Workers("reports of usage", THREADS)

    @routes.post("/usage")
    async def report_usage(request: Request) -> Response:
        key = services.auth.check(request.headers.raw, Scope.INGEST, request.client)
        return await _report(services, workers, request, Caller(key.account_id, key.id, key.label))

    return routes


def internal_router(services: Services) -> APIRouter:
    """Return the same way in for commands on this machine: it needs no key, and the usage belongs to none."""
    routes = APIRouter(include_in_schema=False)
    workers = Workers("imports", THREADS)

    @routes.post("/internal/usage")
    async def import_usage(request: Request) -> Response:
        require_proof(services, request)
        return await _report(services, workers, request, OPERATOR)

    return routes


async def _report(services: Services, workers: Workers, request: Request, caller: Caller) -> Response:
    if (dropped := services.ingest.admit()) is not None:
        raise _not_now(dropped)
    body = await _read(request)
    codings = content_codings(request.headers.getlist("content-encoding"))
    return await workers.run(partial(_take, services, caller, body, codings))


async def _read(request: Request) -> bytes:
    """Return the body as sent; at most `MAX_BYTES`, which bounds what it can unpack from."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BYTES:
        raise _too_large()
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > MAX_BYTES:
            raise _too_large()
    return bytes(pieces)


def _take(services: Services, caller: Caller, body: bytes, codings: Sequence[str]) -> Response:
    plain = decode_body(body, codings)
    # Reading holds the interpreter: two bodies at once would not be read sooner, and the drain would wait longer.
    with _reading:
        parsed = parse_reports(plain, caller=caller, options=services.options)
        refused = parsed.refused
        for problem in services.ingest.examine(parsed.facts):
            refused.append(replace(problem, index=parsed.positions[problem.index]))
    if refused:
        services.ingest.refuse(refused)
        raise _bad_events(sorted(refused, key=attrgetter("index")))
    outcome = services.ingest.record_new(parsed.facts)
    if isinstance(outcome, Dropped):
        raise _not_now(outcome)
    answer = {"data": {"accepted": outcome.accepted, "duplicates": outcome.duplicates}}
    return Response(_encoder.encode(answer), status_code=202, media_type="application/json")


def _bad_events(refused: Sequence[Refused]) -> Problem:
    first = refused[0]
    events = len({bad.index for bad in refused})
    count = "1 event is" if events == 1 else f"{events} events are"
    named = [
        {"index": bad.index, "id": bad.id, "field": bad.field, "reason": bad.reason, "message": bad.message}
        for bad in refused[:MAX_NAMED]
    ]
    return Problem(
        400,
        f"{count} bad and nothing was stored; the first is event {first.index}: {first.message}. "
        "Mend what is named and send the whole body again.",
        metadata={"bad_events": events, "events": named},
    )


def _not_now(dropped: Dropped) -> Problem:
    why = "is full" if dropped.reason is RefusalReason.SPOOL_FULL else "cannot be written or read (see /readyz)"
    return Problem(
        503,
        f"The board's spool {why} and takes no more usage; send the same body again later.",
        metadata={"reason": str(dropped.reason)},
        headers={"Retry-After": "5"},
    )


def _too_large() -> Problem:
    return Problem(413, f"The body is larger than {MAX_BYTES:,} bytes: send several smaller ones.")
