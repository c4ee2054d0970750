"""The schemas of the OpenAPI document that are written by hand: JSON Schema 2020-12, as OpenAPI 3.1 takes it.

Names and fields of what OpenRouter publishes too are its own; its client is the ``openrouter`` SDK, whose
``components/apprankings*.py`` and ``components/rankingsdaily*.py`` have them.
"""

from typing import Any

from tokenboard.attribution import CATEGORIES
from tokenboard.keys import Scope
from tokenboard.usage import UsageSource

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Schema, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """Return an object with exactly these members, all required but the ``optional`` ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}


def array(items: Schema, **more: Any) -> Schema:
    """Return an array."""
    return {"type": "array", "items": items, **more}


def maybe(schema: Schema) -> Schema:
    """Return the schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def _with_more(properties: Schema) -> Schema:
    """Return an object of OpenRouter's with what this board knows of it; its other members are there too."""
    description = "OpenRouter's other fields are there too, null, empty or 0."
    return {"type": "object", "properties": properties, "required": list(properties), "description": description}


COUNT: Schema = {"type": "integer", "minimum": 0}
PLACE: Schema = {"type": "integer", "minimum": 1}
TOKENS: Schema = {"type": "string", "format": "decimal", "pattern": "^[0-9]+$"}
SIGNED: Schema = {"type": "string", "format": "decimal", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
DAY: Schema = {"type": "string", "format": "date"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
TEXT: Schema = {"type": "string"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
FLAG: Schema = {"type": "boolean"}
_USD: Schema = {"type": "number", "minimum": 0}
_CATEGORIES = array({"type": "string", "enum": sorted(CATEGORIES)})
_VERSION: Schema = {"type": "string", "const": "v1"}
_FIGURES = record({"total_requests": COUNT, "total_tokens": TOKENS})
_MODEL: Schema = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by", "name", "architecture", "pricing", "context_length", "links"],
    "properties": {
        "id": TEXT,
        "object": {"type": "string", "const": "model"},
        "created": COUNT,
        "owned_by": TEXT,
        "name": TEXT,
        "context_length": {"anyOf": [COUNT, {"type": "null"}]},
        "pricing": {"type": "object", "required": ["prompt", "completion"]},
    },
}
_META: Schema = {
    "as_of": INSTANT | {"description": "When the figures were computed, UTC."},
    "end_date": DAY | {"description": "Last UTC day of the window, included."},
    "start_date": DAY | {"description": "First UTC day of the window, included."},
    "version": _VERSION,
}
_SPLIT = {
    "prompt_tokens": TOKENS,
    "completion_tokens": TOKENS,
    "cached_tokens": TOKENS,
    "reasoning_tokens": TOKENS,
}
_CONSUMPTION: Schema = {
    "total_requests": COUNT,
    "failed_requests": COUNT,
    **_SPLIT,
    "total_tokens": TOKENS,
    "cost": SIGNED | {"description": "USD."},
}
_LISTING: Schema = {
    "app_id": PLACE,
    "name": TEXT,
    "url": TEXT,
    "categories": _CATEGORIES,
    "first_seen": INSTANT,
}
_STANDING = record(
    {
        "start_date": DAY,
        "end_date": DAY,
        "rank": maybe(PLACE),
        "listed": COUNT,
        "total_requests": COUNT,
        "total_tokens": TOKENS,
    }
)

SCHEMAS: dict[str, Schema] = {
    "Error": record(
        {
            "error": record(
                {
                    "code": {"type": "integer", "description": "The HTTP status."},
                    "message": {"type": "string", "description": "What is wrong and how to mend it."},
                    "type": TEXT | {"description": "On OpenAI's routes: the kind of error, as its clients know it."},
                    "param": maybe(TEXT) | {"description": "On OpenAI's routes: the member at fault, if one is."},
                    "metadata": {"type": ["object", "null"]},
                },
                ("type", "param", "metadata"),
            )
        },
        description="The one shape of every error, whatever its status; under /messages it is Anthropic's.",
    ),
    "MessagesError": record(
        {
            "type": {"type": "string", "const": "error"},
            "error": record(
                {
                    "type": TEXT | {"description": "The kind of error, by its status."},
                    "message": TEXT | {"description": "What is wrong and how to mend it."},
                    "metadata": {"type": ["object", "null"]},
                },
                ("metadata",),
            ),
            "request_id": maybe(TEXT) | {"description": "The `X-Generation-Id`."},
        },
        description="Anthropic's shape of an error.",
    ),
    "AppRankingsItem": record(
        {
            "app_id": PLACE,
            "app_name": TEXT,
            "rank": PLACE | {"description": "From 1, over all pages."},
            "total_requests": COUNT,
            "total_tokens": TOKENS,
            "url": TEXT,
            "categories": _CATEGORIES,
            "split": record(_SPLIT),
            "trend": record(
                {
                    "window": TOKENS,
                    "baselines": array(TOKENS, minItems=3, maxItems=3),
                    "excess": SIGNED,
                    "excess_times_three": SIGNED,
                    "growth": maybe({"type": "number"}),
                }
            ),
            "history": array(record({"date": DAY, "total_tokens": TOKENS})),
            "previous_rank": maybe(PLACE),
        },
        ("url", "categories", "split", "trend", "history", "previous_rank"),
        description="One app; the fields after total_tokens are there when `include` asks for them.",
    ),
    "Totals": record(dict.fromkeys(("all", "listed", "unlisted", "unattributed"), _FIGURES)),
    "RankingsDailyMeta": record(
        _META
        | {
            "totals": ref("Totals"),
            "unknown_tokens": TOKENS | {"description": "Of requests that a filter passes over as nobody can tell."},
        },
        ("totals", "unknown_tokens"),
    ),
    "AppRankingsResponse": record({"data": array(ref("AppRankingsItem")), "meta": ref("RankingsDailyMeta")}),
    "RankingsDailyItem": record(
        {
            "date": DAY | {"description": "First UTC day of the period."},
            "model_permaslug": TEXT | {"description": "`other` sums the models beyond the period's top 50."},
            "total_tokens": TOKENS,
        }
    ),
    "RankingsDailyResponse": record({"data": array(ref("RankingsDailyItem")), "meta": ref("RankingsDailyMeta")}),
    "DirectoryItem": record(
        _LISTING
        | {
            "rank": maybe(PLACE),
            "total_requests": COUNT,
            "total_tokens": TOKENS,
            "growth": maybe({"type": "number"}),
        }
    ),
    "DirectoryResponse": record(
        {
            "data": array(ref("DirectoryItem")),
            "meta": record(_META | {"total": COUNT, "limit": PLACE, "offset": COUNT}),
        }
    ),
    "AppResponse": record(
        {
            "data": record(
                _LISTING
                | {
                    "last_seen": maybe(DAY),
                    "aliases": array(record({"app_id": PLACE, "name": TEXT, "url": TEXT})),
                    "day": _STANDING,
                    "week": _STANDING,
                    "month": _STANDING,
                }
            ),
            "meta": record({"as_of": INSTANT, "version": _VERSION, "asked_app_id": PLACE, "tried": TEXT}, ("tried",)),
        }
    ),
    "AppUsageItem": record(
        {"date": DAY, "hour": INSTANT, "model": maybe(TEXT), **_CONSUMPTION},
        ("date", "hour"),
        description="One bucket of one model; `model` null sums those not named. `date` by day, `hour` by hour.",
    ),
    "AppUsageResponse": record(
        {
            "data": array(ref("AppUsageItem")),
            "meta": record(
                _META
                | {
                    "app_id": PLACE,
                    "by": {"type": "string", "enum": ["day", "hour"]},
                    "models": array(TEXT),
                    "total": record(_CONSUMPTION),
                }
            ),
        }
    ),
    "ModelAppsItem": record(
        _LISTING
        | {
            "rank": PLACE,
            "overall_rank": maybe(PLACE),
            "total_requests": COUNT,
            "total_tokens": TOKENS,
            "share": SHARE,
        }
    ),
    "ModelAppsResponse": record(
        {
            "data": array(ref("ModelAppsItem")),
            "meta": record(_META | {"model": TEXT, "listed": COUNT, "totals": ref("Totals")}),
        }
    ),
    "AttributionResponse": record(
        {
            "data": record(
                {
                    "tracked": {"type": "boolean"},
                    "reason": maybe(TEXT),
                    "app": maybe(
                        record(
                            {
                                "app_id": maybe(PLACE),
                                "url": TEXT,
                                "name": TEXT,
                                "canonical_app_id": maybe(PLACE),
                            }
                        )
                    ),
                    "title": maybe(TEXT),
                    "title_source": maybe(TEXT),
                    "categories": record(
                        {
                            "accepted": _CATEGORIES,
                            "ignored": array(record({"value": TEXT, "reason": TEXT})),
                        }
                    ),
                    "warnings": array(record({"code": TEXT, "message": TEXT})),
                    "rule": maybe(record({"url": TEXT})),
                }
            )
        }
    ),
    "UsageEvent": {
        "type": "object",
        "required": ["id", "ts", "model", "prompt_tokens", "completion_tokens"],
        "examples": [
            {
                "id": "request-1",
                "ts": "2026-05-11T23:59:59.123Z",
                "referer": "https://nightowl.example",
                "title": "Night Owl",
                "model": "openai/gpt-4o",
                "prompt_tokens": 12,
                "completion_tokens": 9,
            }
        ],
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": 128},
            "ts": {"anyOf": [INSTANT, {"type": "number"}], "description": "RFC 3339, or Unix seconds or milliseconds."},
            "referer": {"type": ["string", "null"]},
            "title": {"type": ["string", "null"]},
            "categories": {"type": ["string", "null"], "description": "A comma list."},
            "model": {"type": "string", "minLength": 1},
            "provider": {"type": ["string", "null"]},
            "prompt_tokens": COUNT | {"maximum": 10**12},
            "completion_tokens": COUNT | {"maximum": 10**12},
            "cached_tokens": {"type": ["integer", "null"], "minimum": 0, "maximum": 10**12},
            "reasoning_tokens": {"type": ["integer", "null"], "minimum": 0, "maximum": 10**12},
            "cost": {"type": ["string", "number", "null"]},
            "status": {"type": ["integer", "null"]},
            "latency_ms": {"type": ["integer", "null"], "minimum": 0},
            "tool_calls": {
                "anyOf": [FLAG, COUNT, {"type": "null"}],
                "description": "Whether the answer called a tool, or how many calls it held.",
            },
        },
    },
    "UsageAccepted": record({"data": record({"accepted": COUNT, "duplicates": COUNT})}),
    "Fields": {"type": "object", "description": "With the fields of the API that is asked."},
    "ModelsCountResponse": record({"data": record({"count": COUNT})}),
    "ModelsListResponse": record(
        {
            "object": {"type": "string", "const": "list"},
            "data": array(ref("Model")),
            "total_count": COUNT,
            "links": record({"next": {"type": "null"}}),
        }
    ),
    "Model": _MODEL,
    "ModelResponse": {
        "type": "object",
        "required": ["data"],
        "properties": {"data": ref("Model")},
        "description": "The model itself, as OpenAI's clients read it, and once more as `data`, as OpenRouter's do.",
    },
    "ListEndpointsResponse": record(
        {
            "data": record(
                {
                    "id": TEXT,
                    "name": TEXT,
                    "created": COUNT,
                    "description": TEXT,
                    "architecture": {"type": "object"},
                    "endpoints": array({"type": "object", "required": ["provider_name", "context_length", "pricing"]}),
                }
            )
        }
    ),
    "ProvidersResponse": record({"data": array({"type": "object", "required": ["name", "slug"]})}),
    "CreditsResponse": record(
        {
            "data": record(
                {
                    "total_credits": _USD | {"description": "0: the board sells nothing."},
                    "total_usage": _USD | {"description": "What upstreams charged for this key's requests, USD."},
                }
            )
        }
    ),
    "MessageTokensCount": record(
        {
            "input_tokens": COUNT,
            "estimated": FLAG | {"description": "True: the upstream cannot count; of text, four characters a token."},
        },
        ("estimated",),
        additionalProperties=True,
    ),
    "KeyResponse": record(
        {
            "data": _with_more(
                {
                    "label": TEXT,
                    "usage": _USD | {"description": "What upstreams charged for this key's requests, USD."},
                    "usage_daily": _USD | {"description": "Since the UTC day began."},
                    "usage_weekly": _USD | {"description": "Since Monday."},
                    "usage_monthly": _USD | {"description": "Since the month began."},
                    "is_management_key": FLAG | {"description": "Whether it has the scope `admin`."},
                    "account": TEXT,
                    "scopes": array({"type": "string", "enum": [scope.value for scope in Scope]}),
                }
            )
        }
    ),
    "GenerationResponse": record(
        {
            "data": _with_more(
                {
                    "id": TEXT,
                    "model": TEXT,
                    "provider_name": maybe(TEXT),
                    "created_at": INSTANT,
                    "app_id": maybe(PLACE) | {"description": "The canonical app's."},
                    "http_referer": maybe(TEXT) | {"description": "The URL of the app as it was attributed."},
                    "origin": TEXT,
                    "api_type": maybe(TEXT),
                    "streamed": maybe(FLAG),
                    "cancelled": maybe(FLAG) | {"description": "Whether the client left; null when nobody knows."},
                    "native_tokens_prompt": maybe(COUNT) | {"description": "Null when nobody told, as all of these."},
                    "native_tokens_completion": maybe(COUNT),
                    "native_tokens_cached": maybe(COUNT),
                    "native_tokens_reasoning": maybe(COUNT),
                    "total_cost": _USD | {"description": "USD; 0 when no cost was told."},
                    "upstream_inference_cost": maybe(_USD),
                    "latency": maybe(COUNT) | {"description": "Milliseconds until the end."},
                    "generation_time": maybe(COUNT) | {"description": "Milliseconds since the first piece."},
                    "status": maybe(COUNT),
                    "failed": FLAG,
                    "usage_source": {"type": "string", "enum": [source.value for source in UsageSource]},
                }
            )
        }
    ),
}
"""By name."""
