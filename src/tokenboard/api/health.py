"""Whether the program lives, whether it is ready, and the nudge by which a command announces a change."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from tokenboard import __version__
from tokenboard.api.services import Services
from tokenboard.api.threads import THREADS, route_in
from tokenboard.api.upkeep import require_proof
from tokenboard.workers import Workers

_encoder = msgspec.json.Encoder()


def router(services: Services) -> APIRouter:
    """Return the routes outside the API's base."""
    routes = APIRouter(route_class=route_in(Workers("changes by commands", THREADS)))

    @routes.get("/healthz")
    async def healthz() -> Response:
        return _json({"status": "alive", "version": __version__})

    # From memory alone, on the event loop: it waits neither for a store nor for a thread that waits for one.
    @routes.get("/readyz")
    async def readyz() -> Response:
        checks = _checks(services)
        ready = all(check == "ok" for check in checks.values())
        spool = services.spool.state()
        body: dict[str, Any] = {
            "status": "ready" if ready else "not ready",
            "spool": {
                "pending": spool.pending,
                "bytes": spool.bytes,
                "max_bytes": spool.max_bytes,
                "dead_letters": spool.dead_letters,
                "set_aside": spool.dead_letters,
            },
            "checks": checks,
        }
        return _json(body, 200 if ready else 503)

    @routes.post("/internal/nudge", include_in_schema=False)
    def nudge(request: Request) -> Response:
        require_proof(services, request)
        services.catch_up()
        return _json({"status": "ok"})

    @routes.get("/internal/counters", include_in_schema=False)
    async def counters(request: Request) -> Response:
        require_proof(services, request)
        return _json(dict(services.counters.read()))

    return routes


def _checks(services: Services) -> dict[str, str]:
    checks = {"catalog": "ok", "ledger": "ok", "spool": "ok", "rankings": "ok"}
    following = services.following()
    if following.failing_since_ms is not None:
        checks["catalog"] = (
            f"cannot be read since {following.failing_since_ms} (epoch ms): keys and apps stay as they were then; "
            "see the server's log"
        )
    drain = services.drain_state()
    if drain.error is not None:
        checks[drain.store] = f"delivery fails since {drain.failing_since_ms} (epoch ms); see the server's log"
    if not drain.ready:
        checks["rankings"] = "being read from the ledger"
    spool = services.spool.state()
    if spool.full:
        checks["spool"] = "full: no new requests are taken"
    if (fault := spool.fault) is not None:
        checks["spool"] = f"{fault.what}, since {fault.since_ms} (epoch ms): no new requests are taken. {fault.hint}"
    return checks


def _json(value: Any, status: int = 200) -> Response:
    return Response(_encoder.encode(value), status_code=status, media_type="application/json")
