"""Files of usage that other systems write, known by their columns, row by row as rows of `POST /usage`.

LiteLLM      the table LiteLLM_SpendLogs; the app's headers are in its metadata, as far as the proxy kept them
OpenRouter   the activity export; it names the app, but not its URL, so the usage is of no app unless a rule says so

Both write times in UTC without saying so, as which any time without a zone is taken.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]

_HEADERS = {
    "referer": ("http-referer",),
    "title": ("x-openrouter-title", "x-title"),
    "categories": ("x-openrouter-categories",),
}
_HEADER_PLACES = ("requester_custom_headers", "headers", "requester_headers")
_FAILED = 500


@dataclass(frozen=True, slots=True)
class KnownExport:
    """A kind of file, recognised by ``columns``; ``read`` turns a row into one with the names of ``POST /usage``.

    ``reads`` are all columns that ``read`` looks at; texts of prompts and answers, which some files hold, are not
    among them.
    """

    columns: frozenset[str]
    reads: tuple[str, ...]
    read: Callable[[Row], dict[str, Any]]


def find_export(columns: Collection[str]) -> KnownExport | None:
    """Return the kind of file that has these columns; None for any other."""
    if "id" in columns:
        return None
    return next((export for export in _EXPORTS if export.columns <= set(columns)), None)


def _spend_log(row: Row) -> dict[str, Any]:
    metadata = _object(row.get("metadata"))
    details = _object(_object(metadata.get("usage_object")).get("prompt_tokens_details"))
    return {
        "id": row.get("request_id"),
        "ts": row.get("startTime"),
        "model": row.get("model_group") or row.get("model"),
        "provider": row.get("custom_llm_provider"),
        "prompt_tokens": row.get("prompt_tokens"),
        "completion_tokens": row.get("completion_tokens"),
        "cached_tokens": details.get("cached_tokens"),
        "cost": row.get("spend"),
        "status": _FAILED if row.get("status") == "failure" else None,
        "latency_ms": _elapsed_ms(row.get("startTime"), row.get("endTime")),
        **_headers(metadata),
    }


def _headers(metadata: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place in _HEADER_PLACES:
        given = {name.lower(): value for name, value in _object(metadata.get(place)).items()}
        for member, names in _HEADERS.items():
            for name in names:
                if member not in found and isinstance(given.get(name), str):
                    found[member] = given[name]
    return found


def _activity(row: Row) -> dict[str, Any]:
    return {
        "id": row.get("generation_id"),
        "ts": row.get("created_at"),
        "title": row.get("app_name"),
        "model": row.get("model_permaslug"),
        "provider": row.get("provider_name"),
        "prompt_tokens": row.get("tokens_prompt"),
        "completion_tokens": row.get("tokens_completion"),
        "cached_tokens": row.get("tokens_cached"),
        "reasoning_tokens": row.get("tokens_reasoning"),
        "cost": row.get("cost_total"),
        "latency_ms": row.get("generation_time_ms"),
    }


_EXPORTS = (
    # LiteLLM's table LiteLLM_SpendLogs.
    KnownExport(
        frozenset({"request_id", "startTime", "spend", "model"}),
        (
            "request_id", "startTime", "endTime", "model", "model_group", "custom_llm_provider", "prompt_tokens",
            "completion_tokens", "spend", "status", "metadata",
        ),
        _spend_log,
    ),
    # OpenRouter's activity export.
    KnownExport(
        frozenset({"generation_id", "created_at", "model_permaslug"}),
        (
            "generation_id", "created_at", "app_name", "model_permaslug", "provider_name", "tokens_prompt",
            "tokens_completion", "tokens_cached", "tokens_reasoning", "cost_total", "generation_time_ms",
        ),
        _activity,
    ),
)  # fmt: skip


def _object(value: Any) -> Row:
    """Return a JSON object, also one written as text; what is none is empty."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _elapsed_ms(start: Any, end: Any) -> float | None:
    began, ended = _moment(start), _moment(end)
    if began is None or ended is None or ended < began:
        return None
    return (ended - began).total_seconds() * 1000


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
