"""What gateways on other machines ask of the board: the snapshot, and to take what they ship.

    POST /internal/v1/snapshot               Report ─▶ 200 with a snapshot, 204 when none is new in the time it waits
    GET  /internal/v1/journals/{id}          ─▶ Answer: what the board has of a journal
    POST /internal/v1/shipments              Shipment ─▶ Answer

Each needs a key with the scope ``gateway``. Who ships a journal that another run of its gateway holds gets 409.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from tokenboard.api.services import Services
from tokenboard.control import Report, ReportError, decode_report
from tokenboard.keys import Key, Scope
from tokenboard.problem import Problem
from tokenboard.shipping import Answer, Outcome, Shipment, ShipmentError, decode_shipment, encode_answer
from tokenboard.workers import Workers

THREADS: Final = 4
"""Shipments taken at one time."""

MAX_REPORT: Final = 256 * 1024
"""Bytes of what a gateway says of itself at most."""

MAX_PACKED: Final = 16 * 1024 * 1024
"""Bytes of a shipment at most, as it is sent."""

INSTANCE: Final = "x-tokenboard-instance"
"""The header that names the run of a gateway which asks what the board has of its journal."""

_STATUS: Final = {Outcome.MOVED: 409, Outcome.HELD: 409, Outcome.ELSEWHERE: 421, Outcome.FULL: 503}


def router(services: Services) -> APIRouter:
    """Return the routes, which are no part of the API for clients."""
    routes = APIRouter(prefix="/internal/v1", include_in_schema=False)
    workers = Workers("shipments of usage", THREADS)

    @routes.post("/snapshot")
    async def snapshot(request: Request) -> Response:
        key = _check(services, request)
        report = _report(await _read(request, MAX_REPORT))
        held = services.remotes.hear(report, key.label, _address(request))
        if held is not None:
            return _answered(await workers.run(partial(_held, services, report.journal, held)))
        news = await _news(services, request, report)
        # It may have been revoked meanwhile.
        _check(services, request)
        if news is None:
            return Response(status_code=204)
        return Response(news, media_type="application/msgpack", headers={"Cache-Control": "no-store"})

    @routes.get("/journals/{journal}")
    async def journal(request: Request, journal: str) -> Response:
        _check(services, request)
        held = services.remotes.held(journal, request.headers.get(INSTANCE, ""))
        look = partial(services.shipments.look, journal) if held is None else partial(_held, services, journal, held)
        return _answered(await workers.run(look))

    @routes.post("/shipments")
    async def shipments(request: Request) -> Response:
        key = _check(services, request)
        body = await _read(request, MAX_PACKED)
        return _answered(await workers.run(partial(_take, services, key, body)))

    return routes


def _check(services: Services, request: Request) -> Key:
    return services.auth.check(request.headers.raw, Scope.GATEWAY, request.client)


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


async def _read(request: Request, limit: int) -> bytes:
    """Return the body; raises Problem: 413 past ``limit`` bytes."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > limit:
            raise Problem(413, f"The body is larger than {limit:,} bytes.")
    return bytes(pieces)


def _report(body: bytes) -> Report:
    try:
        return decode_report(body)
    except ReportError as error:
        raise Problem(400, f"This is not what a gateway says of itself: {error}.") from error


async def _news(services: Services, request: Request, report: Report) -> bytes | None:
    """Wait for news until the gateway leaves, too: whoever else ships its journal need not wait for that time."""
    async with _left(request) as left:
        waiting = asyncio.ensure_future(services.remotes.news(report))
        either: set[asyncio.Future[Any]] = {waiting, left}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()
            await asyncio.wait({waiting})


@asynccontextmanager
async def _left(request: Request) -> AsyncIterator[asyncio.Future[None]]:
    async def leave() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    leaving = asyncio.ensure_future(leave())
    try:
        yield leaving
    finally:
        leaving.cancel()
        await asyncio.wait({leaving})


def _held(services: Services, journal: str, held: str) -> Answer:
    known = services.shipments.look(journal)
    return Answer(Outcome.HELD, known.writer, known.cursor, held)


def _take(services: Services, key: Key, body: bytes) -> Answer:
    try:
        shipment = decode_shipment(body)
    except ShipmentError as error:
        raise Problem(400, f"{error}. {error.hint}") from error
    _check_names(shipment)
    held = services.remotes.held(shipment.journal, shipment.instance)
    if held is not None:
        return _held(services, shipment.journal, held)
    answer = services.shipments.take(shipment, f"{key.label}/{shipment.journal[:8]}")
    if answer.outcome is Outcome.TAKEN:
        services.remotes.shipped(shipment.journal, shipment.waiting)
    return answer


def _check_names(shipment: Shipment) -> None:
    if (
        not 0 < len(shipment.journal) <= 100
        or not 0 < len(shipment.next) <= 200
        or min(shipment.missing, shipment.waiting) < 0
    ):
        raise Problem(400, "A shipment names its journal, and what is to be noted with it, in a few characters.")


def _answered(answer: Answer) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "5"} if answer.outcome is Outcome.FULL else {})
    return Response(encode_answer(answer), _STATUS.get(answer.outcome, 200), headers, "application/json")
