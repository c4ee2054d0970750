"""One model in one shape, whatever its upstream listed: with every field that OpenRouter's clients require.

Upstreams' lists have fields of their own, and some use the same names with another meaning: a value without the type
that clients expect is left out, as one odd entry would make a strict client reject the whole list.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Entry = dict[str, Any]

_LATEST = 253_402_300_799
"""The last second that RFC 3339 can write."""


def model_of(entry: Entry, provider: str) -> Entry:
    """Return the model of an upstream's entry, in the fields of OpenAI's list and of OpenRouter's.

    Unknown values are null where that is allowed; an unknown price is "0", as the fields are required strings.
    """
    name = entry["id"]
    context = entry.get("context_length") or entry.get("max_model_len") or entry.get("max_input_tokens")
    context = context if _is_count(context) else None
    longest = entry["max_tokens"] if _is_count(entry.get("max_tokens")) else None
    embeds = _looks_like_embedding(entry)
    shaped: Entry = {
        "object": "model",
        "created": _seconds(entry.get("created_at")),
        "owned_by": provider,
        "canonical_slug": name,
        "name": entry["display_name"] if isinstance(entry.get("display_name"), str) else name,
        "description": "",
        "context_length": context,
        "architecture": {
            "modality": "text->embeddings" if embeds else "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["embeddings" if embeds else "text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {"prompt": "0", "completion": "0"},
        "top_provider": {"context_length": context, "max_completion_tokens": longest, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": [],
        "supported_voices": None,
        "default_parameters": None,
    }
    given = {
        member: value
        for member, value in entry.items()
        if value is not None and member not in _PARTS and _FITS.get(member, _anything)(value)
    }
    for part, fits in _PARTS.items():
        told = entry.get(part)
        if isinstance(told, dict):
            others = _is_text if part == "pricing" else _anything
            shaped[part] |= {name: value for name, value in told.items() if fits.get(name, others)(value)}
    return shaped | given | {"object": "model", "links": {"details": f"/api/v1/models/{name}/endpoints"}}


def anthropic_model(model: Entry) -> Entry:
    """Return a model as Anthropic's ``GET /v1/models`` lists it (ModelInfo)."""
    created = datetime.fromtimestamp(min(max(model["created"], 0), _LATEST), UTC)
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model["name"],
        "created_at": created.isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
        "max_input_tokens": model["context_length"],
        "max_tokens": model["top_provider"]["max_completion_tokens"],
    }


def endpoint_of(provider: str, model: Entry) -> Entry:
    """Return an upstream's entry for a model as OpenRouter's ``GET /models/…/endpoints`` has it (PublicEndpoint).

    The board measures neither latency nor uptime, and a number that is required but not known is 0.
    """
    return {
        "name": f"{provider} | {model['id']}",
        "model_id": model["id"],
        "model_name": model["name"],
        "context_length": model["context_length"] or 0,
        "pricing": model["pricing"],
        "provider_name": provider,
        "tag": provider,
        "quantization": None,
        "service_tier": None,
        "max_completion_tokens": model["top_provider"]["max_completion_tokens"],
        "max_prompt_tokens": None,
        "supported_parameters": model["supported_parameters"],
        "supports_implicit_caching": False,
        "supports_diarization": False,
        "supports_tool_choice": {"none": True, "auto": True, "required": True, "function": True},
        "native_tools": {},
        "uptime_last_5m": None,
        "uptime_last_30m": None,
        "uptime_last_1d": None,
        "latency_last_30m": None,
        "throughput_last_30m": None,
    }


def is_embedding_model(model: Entry) -> bool:
    """Whether a model makes embeddings, as far as is known."""
    return "embeddings" in model["architecture"]["output_modalities"]


def _looks_like_embedding(entry: Entry) -> bool:
    """Tell by the model's type if the upstream lists one, else by its name: plain lists have no type."""
    kind = entry.get("type") or entry.get("task")
    if isinstance(kind, str) and kind != "model":
        return "embed" in kind.lower()
    return "embed" in entry["id"].lower()


def _seconds(created_at: Any) -> int:
    """Return the Unix seconds of Anthropic's ``created_at``, 0 if it is not a time."""
    try:
        return max(int(datetime.fromisoformat(created_at).timestamp()), 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def _anything(value: Any) -> bool:  # noqa: ARG001
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_count_or_null(value: Any) -> bool:
    return value is None or _is_count(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(each is None or type(each) in {int, float} for each in value.values())


def _is_limits(value: Any) -> bool:
    return _is_numbers(value) and value.keys() >= {"prompt_tokens", "completion_tokens"} and None not in value.values()


_Check = Callable[[Any], bool]
_FITS: dict[str, _Check] = {
    "created": _is_count,
    "owned_by": _is_text,
    "canonical_slug": _is_text,
    "name": _is_text,
    "description": _is_text,
    "context_length": _is_count,
    "per_request_limits": _is_limits,
    "supported_parameters": _is_texts,
    "supported_voices": _is_texts,
    "default_parameters": _is_numbers,
    "hugging_face_id": _is_text,
    "knowledge_cutoff": _is_text,
    "expiration_date": _is_text,
    "alias_target": _is_object,
    "benchmarks": _is_object,
    "reasoning": _is_object,
    "data": lambda _: False,
}
_PARTS: dict[str, dict[str, _Check]] = {
    "architecture": {
        "modality": _is_text,
        "input_modalities": _is_texts,
        "output_modalities": _is_texts,
        "tokenizer": _is_text,
        "instruct_type": _is_text,
    },
    "pricing": {
        "discount": lambda value: type(value) in {int, float},
        "overrides": lambda value: isinstance(value, list) and all(map(_is_object, value)),
    },
    "top_provider": {
        "context_length": _is_count_or_null,
        "max_completion_tokens": _is_count_or_null,
        "is_moderated": lambda value: isinstance(value, bool),
    },
}
