"""Whether the program lives, whether it is ready, and the nudge by which a command announces a change."""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from tokenboard import __version__
from tokenboard.api.processes import all_counters, journal_faults, uncollected
from tokenboard.api.services import Services
from tokenboard.api.threads import THREADS, route_in
from tokenboard.api.upkeep import require_proof
from tokenboard.control import SNAPSHOT, GatewayState
from tokenboard.spool import SpoolState
from tokenboard.workers import Workers

_encoder = msgspec.json.Encoder()


def router(services: Services) -> APIRouter:
    """Return the routes outside the API's base."""
    routes = APIRouter(route_class=route_in(Workers("changes by commands", THREADS)))

    @routes.get("/healthz")
    async def healthz() -> Response:
        return _json({"status": "alive", "version": __version__})

    # On the event loop: it waits neither for a store nor for a thread that waits for one; for gateways, a second.
    @routes.get("/readyz")
    async def readyz() -> Response:
        states = await services.gateways.states()
        # In this order: what is collected meanwhile is counted twice for a moment, and never not at all.
        waiting = uncollected(services, states)
        spool = services.spool.state()
        size = spool.bytes + waiting.bytes
        checks = _checks(services, spool, size, states)
        ready = all(check == "ok" for check in checks.values())
        body: dict[str, Any] = {
            "status": "ready" if ready else "not ready",
            "spool": {
                "pending": spool.pending + waiting.events,
                "bytes": size,
                "max_bytes": spool.max_bytes,
                "dead_letters": spool.dead_letters,
                "set_aside": spool.dead_letters,
            },
            "checks": checks,
            # They are no part of readiness: each tells of itself, and one that is away keeps what it records.
            "remote_gateways": _remote(services),
        }
        # A board without it works on: it counts and refuses by itself.
        if (fault := services.shared_fault()) is not None:
            body["shared"] = fault
        return _json(body, 200 if ready else 503)

    # A gateway's own process answers this itself, for itself.
    @routes.get("/readyz/gateway")
    async def readyz_gateway() -> Response:
        states = await services.gateways.states()
        faults = journal_faults(services, states)
        if any(state.name not in faults for state in states):
            return _json({"status": "ready"})
        reason = "; ".join(faults[state.name] for state in states) or "no gateway runs"
        return _json({"status": "not ready", "spool": reason}, 503)

    @routes.post("/internal/nudge", include_in_schema=False)
    def nudge(request: Request) -> Response:
        require_proof(services, request)
        services.catch_up()
        return _json({"status": "ok"})

    @routes.get("/internal/counters", include_in_schema=False)
    async def counters(request: Request) -> Response:
        require_proof(services, request)
        return _json(await all_counters(services))

    return routes


def _remote(services: Services) -> dict[str, int]:
    """Return how gateways on other machines stand, as a whole: anybody may ask, and who they are is not for anybody."""
    known = services.remotes.gateways()
    return {
        "known": len(known),
        "connected": sum(each.connected for each in known),
        "waiting": sum(each.waiting for each in known),
    }


def _checks(services: Services, spool: SpoolState, size: int, states: Sequence[GatewayState]) -> dict[str, str]:
    checks = {"catalog": "ok", "ledger": "ok", "spool": "ok", "rankings": "ok", "gateways": "ok"}
    following = services.following()
    if following.read == SNAPSHOT:
        checks["gateways"] = (
            f"not told of changes of keys since {following.failing_since_ms} (epoch ms): {following.reason}; "
            "see the server's log"
        )
    elif following.failing_since_ms is not None:
        checks["catalog"] = (
            f"cannot be read since {following.failing_since_ms} (epoch ms): keys and apps stay as they were then; "
            "see the server's log"
        )
    drain = services.drain_state()
    if drain.error is not None:
        checks[drain.store] = f"delivery fails since {drain.failing_since_ms} (epoch ms); see the server's log"
    if not drain.ready:
        checks["rankings"] = "being read from the ledger"
    if faults := journal_faults(services, states):
        checks["spool"] = "; ".join(f"{name}: {what}" for name, what in sorted(faults.items()))
    if size >= spool.max_bytes:
        checks["spool"] = "full: no new requests are taken"
    if (fault := spool.fault) is not None:
        checks["spool"] = f"{fault.what}, since {fault.since_ms} (epoch ms): no new requests are taken. {fault.hint}"
    if waiting := [state.name for state in states if state.revision < 0]:
        checks["gateways"] = f"{', '.join(waiting)} waits for the keys that the board publishes; see the log"
    if away := services.gateways.away:
        checks["gateways"] = f"{', '.join(away)} does not answer; see the log"
    return checks


def _json(value: Any, status: int = 200) -> Response:
    return Response(_encoder.encode(value), status_code=status, media_type="application/json")
