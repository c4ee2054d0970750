"""The lists of models: every upstream's list, merged, in the shapes of OpenRouter, OpenAI and Anthropic.

    upstreams ─▶ entries ─▶ models (`model`: one shape, whatever an upstream listed) ─▶ `ModelList.answer`

One document serves OpenAI's and OpenRouter's clients, as both use the same paths; Anthropic's are recognized by a
header and answered in their own shape.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tokenboard.gateway.model import anthropic_model, endpoint_of, is_embedding_model, model_of
from tokenboard.gateway.model_filters import choose
from tokenboard.gateway.upstreams import Upstreams
from tokenboard.problem import Problem

FRESH_S = 300.0
"""How long a merged list is served before the upstreams are asked again, in seconds."""

RETRY_S = 10.0
"""The same, when an upstream gave no list."""

MAX_LIMIT = 1_000
ANTHROPIC_LIMIT = 20
"""Models of one page: the maximum, and the default for Anthropic's clients."""

PATHS = (
    "/models",
    "/models/count",
    "/models/user",
    "/models/{author}/{slug}",
    "/models/{author}/{slug}/endpoints",
    "/models/{slug}",
    "/models/{slug}/endpoints",
    "/model/{author}/{slug}",
    "/model/{slug}",
    "/embeddings/models",
    "/providers",
)
"""The paths, below each base, for GET."""

ONE_MODEL = ("/models/", "/model/")
"""Prefixes of the paths of single models. The Data API's ``/models/…/apps`` is not one of them."""

_LISTS = frozenset({"/models", "/models/user", "/embeddings/models"})
_ENDPOINTS = "/endpoints"
_MAX_PARAMETERS = 100
_encoder = msgspec.json.Encoder()

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Merged:
    """Each model as listed by the upstream that a request for it would go to; and all upstreams' entries, in order."""

    models: dict[str, Entry] = field(default_factory=dict)
    told: dict[str, list[tuple[str, Entry]]] = field(default_factory=dict)


class ModelList:
    """Asks all upstreams concurrently and caches their lists; one refresh at a time."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._lock = asyncio.Lock()
        self._merged = _Merged()
        self._body = b""
        self._fresh_until = float("-inf")

    async def answer(self, path: str, query: bytes = b"", *, anthropic: bool = False) -> bytes:
        """Return the JSON body of a GET for one of `PATHS`; ``query`` is undecoded, ``anthropic`` selects the shape.

        Raises:
            Problem: 404, no such model; 400, a parameter is wrong.

        """
        if path == "/providers":
            return _encoder.encode({"data": [_provider(upstream.name) for upstream in self._upstreams]})
        await self._refresh()
        models = self._merged.models
        if path == "/models/count":
            return _encoder.encode({"data": {"count": len(choose(list(models.values()), _parameters(query)))}})
        if path in _LISTS:
            if path == "/models" and not query and not anthropic:
                return self._body
            listed = list(models.values())
            if path == "/embeddings/models":
                listed = [entry for entry in listed if is_embedding_model(entry)]
            return _encoder.encode(_anthropic_page(listed, query) if anthropic else _page(listed, query))
        name = path.removeprefix("/models/") if path.startswith("/models/") else path.removeprefix("/model/")
        if name not in models and name.endswith(_ENDPOINTS):
            found = self._one(name.removesuffix(_ENDPOINTS))
            return _encoder.encode({"data": self._endpoints(found)})
        found = self._one(name)
        # OpenAI's clients read the model itself, OpenRouter's what is under `data`.
        return _encoder.encode(anthropic_model(found) if anthropic else found | {"data": found})

    def _one(self, name: str) -> Entry:
        found = self._merged.models.get(name)
        if found is None:
            raise Problem(
                404, f"{name[:200]} is not a model served here; GET /api/v1/models lists those that are.", param="model"
            )
        return found

    def _endpoints(self, entry: Entry) -> Entry:
        given = ("id", "name", "created", "description", "architecture")
        told = self._merged.told[entry["id"]]
        return {name: entry[name] for name in given} | {"endpoints": [endpoint_of(*each) for each in told]}

    async def _refresh(self) -> None:
        if time.monotonic() < self._fresh_until:
            return
        async with self._lock:
            if time.monotonic() >= self._fresh_until:
                answers = await asyncio.gather(*(upstream.list_models() for upstream in self._upstreams))
                self._merged = self._merge(answers)
                self._body = _encoder.encode(_page(list(self._merged.models.values()), b""))
                whole = all(reached for _, reached in answers)
                self._fresh_until = time.monotonic() + (FRESH_S if whole else RETRY_S)

    def _merge(self, answers: list[tuple[list[Entry], bool]]) -> _Merged:
        merged = _Merged()
        paired = list(zip(self._upstreams, answers, strict=True))
        # Until one that never gave a list is back, its requests fail over to those behind it.
        mute = [upstream for upstream, (listed, reached) in paired if not listed and not reached]
        for upstream, (listed, _) in paired:
            for given in listed:
                name = given["id"]
                candidates = [each for each in self._upstreams.candidates(name) if each not in mute]
                if upstream not in candidates:
                    continue
                entry = model_of(given, upstream.name)
                if candidates[0] is upstream:
                    merged.models.setdefault(name, entry)
                told = merged.told.setdefault(name, [])
                if all(other != upstream.name for other, _ in told):
                    told.append((upstream.name, entry))
        return merged


def _provider(name: str) -> Entry:
    """Return an upstream in the fields of OpenRouter's ``GET /providers``; of all but its name nothing is known."""
    return {
        "name": name,
        "slug": name,
        "privacy_policy_url": None,
        "terms_of_service_url": None,
        "status_page_url": None,
        "headquarters": None,
        "datacenters": None,
    }


def _page(listed: list[Entry], query: bytes) -> Entry:
    """Return the models that the parameters ask for, of these ``limit`` after ``offset``; all without a limit."""
    given = _parameters(query)
    listed = choose(listed, given)
    offset = _number(given, "offset", 0, 0, None)
    limit = _number(given, "limit", len(listed), 1, MAX_LIMIT)
    page = listed[offset : offset + limit]
    return {"object": "list", "data": page, "total_count": len(listed), "links": {"next": None}}


def _anthropic_page(listed: list[Entry], query: bytes) -> Entry:
    """Return a page as Anthropic has it: after ``after_id``, or before ``before_id``."""
    given = _parameters(query)
    limit = _number(given, "limit", ANTHROPIC_LIMIT, 1, MAX_LIMIT)
    names = [entry["id"] for entry in listed]
    if "before_id" in given:
        end = _position(names, given, "before_id")
        page, more = listed[max(end - limit, 0) : end], end > limit
    else:
        start = _position(names, given, "after_id") + 1 if "after_id" in given else 0
        page, more = listed[start : start + limit], len(listed) > start + limit
    return {
        "data": [anthropic_model(entry) for entry in page],
        "has_more": more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _parameters(query: bytes) -> dict[str, str]:
    try:
        given = parse_qs(query.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise Problem(400, f"A query may have {_MAX_PARAMETERS} parameters.") from None
    return {name: values[-1] for name, values in given.items()}


def _number(given: dict[str, str], name: str, default: int, least: int, most: int | None) -> int:
    text = given.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdecimal() and len(text) <= 9 and least <= int(text) <= (most or int(text)):
        return int(text)
    span = f"from {least} to {most:,}" if most else f"from {least}"
    raise Problem(400, f"{name} must be a whole number {span}.", param=name)


def _position(names: list[str], given: dict[str, str], parameter: str) -> int:
    try:
        return names.index(given[parameter])
    except ValueError:
        raise Problem(400, f"{parameter} must be the id of a model that is listed.", param=parameter) from None
