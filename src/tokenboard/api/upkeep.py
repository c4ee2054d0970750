"""What a command on this machine asks of the server that owns the ledger: an audit, or a rebuild.

Each answers with NDJSON, a line a month, and at last ``{"done": true}``, or ``{"error": …, "hint": …}``. An answer
without either was cut short.
"""

from collections.abc import Callable, Iterator
from hmac import compare_digest
from threading import Lock
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from tokenboard.api.services import Services
from tokenboard.api.threads import THREADS, route_in
from tokenboard.catalog import CatalogError
from tokenboard.drain import PlanError
from tokenboard.ledger import LedgerError
from tokenboard.observability import logger
from tokenboard.problem import Problem
from tokenboard.rankings import NotFilledError
from tokenboard.spool import SpoolError
from tokenboard.workers import Workers

_log = logger("api")
_encoder = msgspec.json.Encoder()
_EXPECTED = (CatalogError, LedgerError, NotFilledError, PlanError, SpoolError)


def require_proof(services: Services, request: Request) -> None:
    """Let only those pass who can read the data folder: the token of its ``server.json`` proves it.

    Raises:
        Problem: 404, as if there were nothing here.

    """
    given = request.headers.get("x-tokenboard-nudge", "").encode("latin-1", "replace")
    if not compare_digest(given, services.nudge_token.encode()):
        path = str(request.scope["path"])[:200]
        raise Problem(404, f"There is nothing at {path}.")


def router(services: Services) -> APIRouter:
    """Return the routes, none of them part of the API."""
    # The answer is read, piece by piece, in the framework's own threads, which nothing else uses.
    routes = APIRouter(include_in_schema=False, route_class=route_in(Workers("tasks", THREADS)))
    turn = Lock()

    @routes.post("/internal/audit")
    def audit(request: Request) -> Response:
        require_proof(services, request)
        return _told(turn, services.upkeep.audit)

    @routes.post("/internal/rebuild")
    def rebuild(request: Request) -> Response:
        require_proof(services, request)
        return _told(turn, services.upkeep.rebuild)

    return routes


def _told(turn: Lock, task: Callable[[], Iterator[msgspec.Struct]]) -> Response:
    lines = _lines(turn, task)
    return StreamingResponse(lines, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


def _lines(turn: Lock, task: Callable[[], Iterator[msgspec.Struct]]) -> Iterator[bytes]:
    """Yield what the task reports, and how it ended. Its turn ends, too, when the client stops reading."""
    ended: dict[str, Any] = {"done": True}
    if not turn.acquire(blocking=False):
        yield _encoder.encode({"error": "an audit or a rebuild runs already", "hint": "Wait until it is done."}) + b"\n"
        return
    try:
        for told in task():
            yield _encoder.encode(told) + b"\n"
    except _EXPECTED as error:
        ended = {"error": str(error), "hint": getattr(error, "hint", "Try again in a moment.")}
    except Exception as error:
        _log.error("upkeep failed by a fault of ours", exc_info=error)
        ended = {"error": "something went wrong in the server", "hint": "The server's log tells more."}
    finally:
        turn.release()
    yield _encoder.encode(ended) + b"\n"
