"""The list of models: every upstream's, merged, in a shape that the OpenAI and the OpenRouter SDKs both read."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tokenboard.gateway.upstreams import Upstreams

FRESH_S = 300.0
"""How long a merged list is served before the upstreams are asked again, in seconds."""

RETRY_S = 10.0
"""The same when an upstream gave no list."""

_encoder = msgspec.json.Encoder()


class ModelList:
    """Asks all upstreams at once, and keeps what they said for a while; one question at a time."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._lock = asyncio.Lock()
        self._body = self._count = b""
        self._fresh_until = float("-inf")

    @property
    def questions(self) -> dict[str, Callable[[], Awaitable[bytes]]]:
        """Return the paths, under each base, at which it is asked by GET, and what gives the JSON body."""
        return {"/models": self.body, "/models/count": self.count}

    async def body(self) -> bytes:
        """Return the JSON body of ``GET /models``: each model under the upstream that a request for it would go to."""
        await self._refresh()
        return self._body

    async def count(self) -> bytes:
        """Return the JSON body of ``GET /models/count``: how many models that list holds."""
        await self._refresh()
        return self._count

    async def _refresh(self) -> None:
        if time.monotonic() < self._fresh_until:
            return
        async with self._lock:
            if time.monotonic() >= self._fresh_until:
                answers = await asyncio.gather(*(upstream.list_models() for upstream in self._upstreams))
                models: dict[str, dict[str, Any]] = {}
                paired = list(zip(self._upstreams, answers, strict=True))
                # Until one that never gave a list is back, its requests fail over to those behind it.
                mute = [upstream for upstream, (listed, reached) in paired if not listed and not reached]
                for upstream, (listed, _) in paired:
                    for entry in listed:
                        candidates = self._upstreams.candidates(entry["id"])
                        if next((each for each in candidates if each not in mute), None) is upstream:
                            models.setdefault(entry["id"], _model(entry, upstream.name))
                self._body = _encoder.encode(
                    {
                        "object": "list",
                        "data": list(models.values()),
                        "total_count": len(models),
                        "links": {"next": None},
                    }
                )
                self._count = _encoder.encode({"data": {"count": len(models)}})
                whole = all(reached for _, reached in answers)
                self._fresh_until = time.monotonic() + (FRESH_S if whole else RETRY_S)


def _model(entry: dict[str, Any], provider: str) -> dict[str, Any]:
    name = entry["id"]
    context = entry.get("context_length") or entry.get("max_model_len")
    given = {member: value for member, value in entry.items() if value is not None}
    return {
        "object": "model",
        "created": 0,
        "owned_by": provider,
        "canonical_slug": name,
        "name": name,
        "description": "",
        "context_length": context,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {"prompt": "0", "completion": "0"},
        "top_provider": {"context_length": context, "max_completion_tokens": None, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": [],
        "supported_voices": None,
        "default_parameters": None,
        "links": {"details": f"/api/v1/models/{name}/endpoints"},
    } | given
