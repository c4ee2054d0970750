"""``GET /generation``: what became of one request, in the field names of OpenRouter's API.

Its client: the ``openrouter`` SDK, ``components/generationresponse.py``; every field it requires is there. What is not
known here is null: nothing of a prompt, an answer or their features is kept.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Request, Response

from tokenboard.api.services import Services
from tokenboard.api.threads import THREADS, route_in
from tokenboard.catalog import Catalog, UnknownApp
from tokenboard.keys import Scope
from tokenboard.ledger import Generation
from tokenboard.problem import Problem
from tokenboard.workers import Workers

MAX_ID = 128
"""Longest id, in characters (data-api: POST /usage)."""

ON_ITS_WAY_MS = 3_600_000
"""How long after its beginning a request may still be under way, or on its way to the ledger, in milliseconds."""

_minted = re.compile(r"gen-([0-9]{13})-[0-9a-f]{20}")
_encoder = msgspec.json.Encoder()
_API_TYPES = {
    "chat": "completions",
    "completions": "completions",
    "responses": "completions",
    "messages": "completions",
    "embeddings": "embeddings",
}
_NOT_KEPT = (
    "cache_discount",
    "external_user",
    "finish_reason",
    "moderation_latency",
    "native_finish_reason",
    "native_tokens_completion_images",
    "num_fetches",
    "num_input_audio_prompt",
    "num_media_completion",
    "num_media_prompt",
    "num_search_results",
    "preset_id",
    "provider_responses",
    "router",
    "service_tier",
    "session_id",
    "upstream_id",
    "user_agent",
    "web_search_engine",
    "workspace_id",
)
_CLIENT_GONE = 499


def router(services: Services) -> APIRouter:
    """Return the one route."""
    routes = APIRouter(route_class=route_in(Workers("requests for a generation", THREADS)))

    @routes.get("/generation")
    def generation(request: Request) -> Response:
        key = services.auth.check(request.headers.raw, Scope.INFERENCE, request.client)
        wanted = request.query_params.get("id", "")
        if not 0 < len(wanted) <= MAX_ID:
            raise Problem(
                400,
                f"`id` must be 1 to {MAX_ID} characters: the X-Generation-Id of an answer, as in /generation?id=gen-….",
                metadata={"parameter": "id"},
            )
        began_ms = minted_ms(wanted)
        found = services.ledger.generation(wanted, key.account_id, near_ms=began_ms)
        if found is None:
            raise _not_found(began_ms, services.clock_ms())
        canonical = services.catalog.root_of if Scope.ADMIN in key.scopes else services.analytics.canonical_id
        body = _encoder.encode({"data": describe(found, services.catalog, canonical)})
        return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")

    return routes


def minted_ms(generation_id: str) -> int | None:
    """Return when the gateway made this id (UTC epoch milliseconds), None for an id that is none of the gateway's."""
    made = _minted.fullmatch(generation_id)
    return int(made[1]) if made else None


def describe(found: Generation, catalog: Catalog, canonical: Callable[[int], int | None]) -> dict[str, Any]:
    """Return an event in the reference's fields, and ours after them: ``status``, ``failed``, ``usage_source``.

    ``app_id`` is the canonical app's, by ``canonical``, None for one that the reader may not know of; ``http_referer``
    the URL of the app as the request's own headers named it, ``origin`` its origin.
    """
    url = _app_url(found.app_id, catalog)
    parts = urlsplit(url or "")
    began = datetime.fromtimestamp(found.ts_ms / 1000, UTC).isoformat(timespec="milliseconds")
    cost = None if found.cost is None else float(found.cost)
    return {
        "id": found.id,
        "model": found.model,
        "created_at": began.replace("+00:00", "Z"),
        "app_id": canonical(found.app_id) if url else None,
        "http_referer": url,
        "origin": f"{parts.scheme}://{parts.netloc}" if parts.netloc else "",
        "api_type": _API_TYPES.get(found.endpoint),
        "provider_name": found.provider or None,
        "streamed": found.streamed,
        "cancelled": _cancelled(found),
        "tokens_prompt": found.prompt_tokens,
        "tokens_completion": found.completion_tokens,
        "native_tokens_prompt": found.prompt_tokens,
        "native_tokens_completion": found.completion_tokens,
        "native_tokens_cached": found.cached_tokens,
        "native_tokens_reasoning": found.reasoning_tokens,
        "total_cost": cost or 0.0,
        "usage": cost or 0.0,
        "upstream_inference_cost": cost,
        "latency": found.latency_ms,
        "generation_time": _generation_time(found),
        "is_byok": False,
        "data_region": "global",
        "request_id": found.id,
        "response_cache_source_id": None,
        **dict.fromkeys(_NOT_KEPT),
        "status": found.status,
        "failed": found.failed,
        "usage_source": found.usage_source,
    }


def _app_url(app_id: int, catalog: Catalog) -> str | None:
    if not app_id:
        return None
    try:
        return catalog.app(app_id).url
    except UnknownApp:  # a catalog older than the ledger
        return None


def _cancelled(found: Generation) -> bool | None:
    """Return whether the client broke it off; None when the answer broke off for an unknown reason."""
    if found.status == _CLIENT_GONE:
        return True
    return None if found.usage_source in {"partial", "estimated"} else False


def _generation_time(found: Generation) -> int | None:
    if found.latency_ms is None or found.first_token_ms is None:
        return None
    return max(found.latency_ms - found.first_token_ms, 0)


def _not_found(began_ms: int | None, now_ms: int) -> Problem:
    if began_ms is not None and 0 <= now_ms - began_ms < ON_ITS_WAY_MS:
        return Problem(
            404,
            "No generation of this account has this id yet. An answer is here a second or two after its end: ask "
            "again then.",
            headers={"Retry-After": "1"},
        )
    return Problem(404, "No generation of this account has this id; X-Generation-Id of every answer tells it.")
