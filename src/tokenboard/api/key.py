"""``GET /key``, ``GET /credits``: what a key is and what it has cost, in the field names of OpenRouter's API.

Their client: the ``openrouter`` SDK, ``operations/getcurrentkey.py``, ``getcredits.py``; every field it requires is
there. The board sells nothing, sets no budget and no limit on inference, has no free models and knows no key of the
caller's own at an upstream.
"""

from datetime import UTC, datetime
from threading import Lock
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from tokenboard.api.services import Services
from tokenboard.api.threads import THREADS, route_in
from tokenboard.keys import Key, Scope
from tokenboard.ledger import Spending
from tokenboard.problem import Problem
from tokenboard.workers import Workers

FRESH_MS = 5_000
"""How long a key's spending is served from memory before the ledger is asked again."""

_PATIENCE_S = 5.0  # a thread of the API's small pool that waits for the ledger serves nobody else
_NO_LIMIT = -1
_encoder = msgspec.json.Encoder()


def router(services: Services) -> APIRouter:
    """Return the two routes."""
    routes = APIRouter(route_class=route_in(Workers("requests for a key", THREADS)))
    ask = _SpendingCache(services)

    @routes.get("/key")
    def current_key(request: Request) -> Response:
        key = services.auth.check(request.headers.raw, Scope.INFERENCE, request.client)
        body = _encoder.encode({"data": describe(key, ask.of(key))})
        return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")

    @routes.get("/credits")
    def credits_used(request: Request) -> Response:
        key = services.auth.check(request.headers.raw, Scope.INFERENCE)
        data = {"total_credits": 0.0, "total_usage": float(ask.of(key).total)}
        return Response(
            _encoder.encode({"data": data}), headers={"Cache-Control": "no-store"}, media_type="application/json"
        )

    return routes


def describe(key: Key, spent: Spending) -> dict[str, Any]:
    """Return a key in the reference's fields, and ours after them: ``account``, ``scopes``."""
    manages = Scope.ADMIN in key.scopes
    return {
        "label": key.label,
        "usage": float(spent.total),
        "usage_daily": float(spent.day),
        "usage_weekly": float(spent.week),
        "usage_monthly": float(spent.month),
        "byok_usage": 0.0,
        "byok_usage_daily": 0.0,
        "byok_usage_weekly": 0.0,
        "byok_usage_monthly": 0.0,
        "include_byok_in_limit": False,
        "limit": None,
        "limit_remaining": None,
        "limit_reset": None,
        "budgets": [],
        "effective_budget": None,
        "is_free_tier": False,
        "is_management_key": manages,
        "is_provisioning_key": manages,
        "free_model_daily_requests": {"limit": _NO_LIMIT, "remaining": _NO_LIMIT, "used": 0},
        "rate_limit": {"requests": _NO_LIMIT, "interval": "1m", "note": "Inference is not limited by key."},
        "allowed_data_regions": ["global"],
        "creator_user_id": None,
        "organization_id": None,
        "workspace_id": None,
        "expires_at": None,
        "account": key.account,
        "scopes": sorted(key.scopes),
    }


class _SpendingCache:
    """What keys have cost, a few seconds old at most; one question to the ledger at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = Lock()
        self._known: dict[int, tuple[int, Spending]] = {}

    def of(self, key: Key) -> Spending:
        """Return one key's spending; raises LedgerUnavailable, and Problem: 503 when too many wait for it."""
        if not self._lock.acquire(timeout=_PATIENCE_S):
            raise Problem(503, "The ledger is busy; try again later.", headers={"Retry-After": "2"})
        try:
            now_ms = self._services.clock_ms()
            today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
            asked_ms, spent = self._known.get(key.id, (now_ms - FRESH_MS, None))
            same_day = datetime.fromtimestamp(asked_ms / 1000, UTC).date() == today
            if spent is None or not same_day or not 0 <= now_ms - asked_ms < FRESH_MS:
                spent = self._services.ledger.key_usage(key.id, today)
                self._known[key.id] = (now_ms, spent)
            return spent
        finally:
            self._lock.release()
