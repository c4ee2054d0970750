"""The operations of the OpenAPI document that are written by hand: the Data API, ingest, and the inference endpoints.

The inference endpoints are no FastAPI routes, so nothing could describe them but us. Operation ids, parameters and tags
of what OpenRouter publishes too are its own.
"""

from typing import Any

from tokenboard.analytics import COMPLETED, MAX_LIMIT, MAX_MODELS, MAX_SEARCH, Grain, Order
from tokenboard.api.apps import DEFAULT_LIMIT, DEFAULT_MODEL_APPS, DEFAULT_MODELS, MAX_OFFSET, MAX_URL
from tokenboard.api.datasets import MODALITIES
from tokenboard.api.formats import Format
from tokenboard.api.openapi_schemas import COUNT, ref
from tokenboard.attribution import CATEGORIES, GROUPS
from tokenboard.keys import Scope
from tokenboard.ledger import ContextBucket
from tokenboard.rankings import Extra, Sort
from tokenboard.rankings.question import MAX_LIMIT as MAX_ROWS
from tokenboard.rankings.question import MAX_OFFSET as MAX_ROW_OFFSET

Operation = dict[str, Any]

MAX_MODELS_LISTED = 1_000
"""Models of one answer at most, where a number is asked for."""

_GENERATION = "gen-1778544000000-0123456789abcdef0123"

_DATES = (
    ("start_date", "First UTC day of the window, included; 30 days up to end_date by default. Moved to the floor."),
    ("end_date", "Last UTC day, included; the last completed one by default. A day to come is moved to today."),
)
_REASONS = {
    400: "A parameter or the body is wrong; the message says which and how to mend it.",
    401: "No key, an unknown or a revoked one.",
    403: "The key lacks the scope.",
    404: "There is no such thing here.",
    405: "The address does not take this method; `Allow` lists those it takes.",
    409: "The catalog does not allow it as things stand.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body's encoding or type is not taken.",
    429: "Too many requests; `Retry-After` says in how many seconds to ask again.",
    431: "The headers are too long, or too many.",
    500: "A fault of the board's.",
    502: "The upstream failed.",
    503: "The board cannot answer now; `Retry-After` says when to try again.",
    504: "The upstream was too slow.",
}


def refusals(*statuses: int, schema: str = "Error") -> dict[str, Any]:
    """Return the error answers of these statuses, all in one shape."""
    content = {"application/json": {"schema": ref(schema)}}
    return {str(status): {"description": _REASONS[status], "content": content} for status in statuses}


def needs(scope: Scope) -> list[dict[str, list[str]]]:
    """Return the security of an operation whose key needs this scope: a role, as OpenAPI 3.1 calls it."""
    return [{"apiKey": [scope.value]}]


def operations() -> dict[str, dict[str, Operation]]:
    """Return every operation by path, below the base, and method."""
    return {**_datasets(), **_apps(), **_inference(), **_own()}


def query(name: str, description: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    """Return one query parameter."""
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def _choice(name: str, description: str, allowed: list[str], default: str | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "enum": allowed}
    return query(name, description, schema if default is None else schema | {"default": default})


def _count(name: str, description: str, least: int, most: int, default: int) -> dict[str, Any]:
    return query(name, description, {"type": "integer", "minimum": least, "maximum": most, "default": default})


def _window() -> list[dict[str, Any]]:
    return [query(name, description, {"type": "string", "format": "date"}) for name, description in _DATES]


def _categories() -> list[dict[str, Any]]:
    return [
        _choice("category", "Only apps of this group of categories.", list(GROUPS)),
        _choice("subcategory", "Only apps of this category; takes precedence over `category`.", sorted(CATEGORIES)),
    ]


def _format() -> dict[str, Any]:
    return _choice("format", "The answer's format; before `Accept`.", [each.value for each in Format], "json")


def _text(example: str) -> dict[str, Any]:
    return {"type": "string", "examples": [example]}


def _in_path(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _data(  # one operation of the data routes, which share limits, formats and errors
    operation_id: str,
    summary: str,
    schema: str,
    parameters: list[dict[str, Any]],
    *,
    tag: str,
    files: bool = True,
    missing: bool = False,
) -> Operation:
    text = {"schema": {"type": "string"}}
    content: dict[str, Any] = {"application/json": {"schema": ref(schema)}}
    if files:
        content |= {
            "text/csv": text,
            "application/x-ndjson": text,
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        }
        parameters = [*parameters, _format()]
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = {
        "ETag": {"schema": {"type": "string"}},
        **{name: {"description": "Absent when nothing is limited.", "schema": {"type": "integer"}} for name in names},
    }
    return {
        "operationId": operation_id,
        "summary": summary,
        "tags": [tag],
        "security": needs(Scope.DATA),
        "parameters": parameters,
        "responses": {
            "200": {"description": "The figures.", "headers": headers, "content": content},
            "304": {"description": "`If-None-Match` names the ETag of what would be answered."},
            **refusals(400, 401, 403, *((404,) if missing else ()), 429, 503),
        },
    }


def _datasets() -> dict[str, dict[str, Operation]]:
    extras = {"type": "string", "examples": ["url,categories"]}
    offset = {
        "anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_ROW_OFFSET}, {"type": "null"}],
        "default": 0,
    }
    return {
        "/datasets/app-rankings": {
            "get": _data(
                "getAppRankings",
                "Top apps by tokens in a window",
                "AppRankingsResponse",
                [
                    *_categories(),
                    _choice("sort", "By tokens, or by growth over the three windows before.", _values(Sort), "popular"),
                    *_window(),
                    _count("limit", "Rows.", 1, MAX_ROWS, 50),
                    query("offset", "Rows left out before them; ranks stay absolute.", offset),
                    query("include", f"Extras, with commas between: {', '.join(_values(Extra))}.", extras),
                ],
                tag="Datasets",
            )
        },
        "/datasets/rankings-daily": {
            "get": _data(
                "getRankingsDaily",
                "Top 50 models of each day, week or month by tokens, and the others together",
                "RankingsDailyResponse",
                [
                    *_window(),
                    _choice("period", "Weeks begin on Monday.", _values(COMPLETED), "day"),
                    _choice("modality", "Only requests whose output is text, or that called a tool.", [*MODALITIES]),
                    _choice(
                        "context_bucket",
                        "Only requests whose prompt fits in this, and in nothing smaller; above 1M tokens is `10M`.",
                        _values(ContextBucket),
                    ),
                ],
                tag="Datasets",
            )
        },
    }


def _apps() -> dict[str, dict[str, Operation]]:
    numbers = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
    app_id = _in_path("app_id", "The app's id, or an alias's.", numbers)
    url = {"type": "string", "minLength": 1, "maxLength": MAX_URL, "examples": ["https://nightowl.example"]}
    return {
        "/apps": {
            "get": _data(
                "listApps",
                "The directory of visible apps",
                "DirectoryResponse",
                [
                    query(
                        "search",
                        "Only apps whose name or URL holds this, whatever the case.",
                        {"type": "string", "maxLength": MAX_SEARCH},
                    ),
                    *_categories(),
                    _choice("sort", "`trending` lists only apps that grow.", _values(Order), "popular"),
                    *_window(),
                    _count("limit", "Rows.", 1, MAX_LIMIT, DEFAULT_LIMIT),
                    _count("offset", "Rows left out before them.", 0, MAX_OFFSET, 0),
                ],
                tag="Apps",
            )
        },
        "/apps/lookup": {
            "get": _data(
                "lookUpApp",
                "The app of a URL, by the rules of attribution",
                "AppResponse",
                [query("url", "Any URL of the app, an alias's too.", url, required=True)],
                tag="Apps",
                files=False,
                missing=True,
            )
        },
        "/apps/{app_id}": {
            "get": _data("getApp", "One app", "AppResponse", [app_id], tag="Apps", files=False, missing=True)
        },
        "/apps/{app_id}/usage": {
            "get": _data(
                "getAppUsage",
                "One app over time, by model",
                "AppUsageResponse",
                [
                    app_id,
                    *_window(),
                    _choice("by", "Hours are kept for five weeks, without models.", _values(Grain), "day"),
                    _count("models", "Models named; the others are summed.", 0, MAX_MODELS, DEFAULT_MODELS),
                ],
                tag="Apps",
                missing=True,
            )
        },
        "/models/{author}/{slug}/apps": {
            "get": _data(
                "listModelApps",
                "The top apps of one model",
                "ModelAppsResponse",
                [
                    _in_path("author", "The part of the model's name before its slash.", _text("openai")),
                    _in_path("slug", "The part after it.", _text("gpt-4o")),
                    *_window(),
                    _count("limit", "Rows.", 1, MAX_LIMIT, DEFAULT_MODEL_APPS),
                ],
                tag="Models",
                missing=True,
            )
        },
    }


def _inference() -> dict[str, dict[str, Operation]]:
    texts = {"anyOf": [{"type": "string"}, {"type": "array"}]}
    objects = {"type": "array", "items": {"type": "object"}}
    return {
        "/chat/completions": _infer("sendChatCompletionRequest", "Chat, as OpenAI's API has it", "Chat", objects),
        "/completions": _infer("createCompletion", "Completions of plain prompts", "Completions", texts, "prompt"),
        "/embeddings": _infer("createEmbeddings", "Embeddings", "Embeddings", texts, "input", streams=False),
        "/responses": _infer("createResponses", "OpenAI's responses", "Responses", texts, "input"),
        "/messages": _infer("createMessages", "Anthropic's messages", "Messages", objects),
        "/messages/count_tokens": _count_tokens(objects),
        **_models(),
        "/credits": {"get": _read("getCredits", "What the key that asks has cost", "Credits", "CreditsResponse")},
        "/key": {"get": _read("getCurrentKey", "What the key that asks is, and has cost", "API Keys", "KeyResponse")},
        "/generation": {
            "get": _read(
                "getGeneration",
                "What became of one request",
                "Generations",
                "GenerationResponse",
                [
                    query(
                        "id",
                        "The `X-Generation-Id` of an answer.",
                        {"minLength": 1, **_text(_GENERATION)},
                        required=True,
                    )
                ],
                (400, 404),
            )
        },
    }


def _models() -> dict[str, dict[str, Operation]]:
    named = [
        _in_path("author", "The part of the model's name before its slash.", _text("tokenboard")),
        _in_path("slug", "The part after it.", _text("echo")),
    ]
    page = [
        query("offset", "Models left out.", {"type": "integer", "minimum": 0, "default": 0}),
        query(
            "limit", "Models; all of them by default.", {"type": "integer", "minimum": 1, "maximum": MAX_MODELS_LISTED}
        ),
    ]

    filters = [
        query("q", "Only models whose id or name holds this, whatever the case.", _text("echo")),
        query("output_modalities", "Only models that give one of these, with commas between; or `all`.", _text("text")),
        query("input_modalities", "Only models that take one of these, with commas between.", _text("text,image")),
        query("supported_parameters", "Only models that take all of these, with commas between.", _text("tools")),
        query("context", "Only models with a context of so many tokens at least.", COUNT),
        query("model_authors", "Only models of these authors, with commas between.", _text("tokenboard")),
    ]
    sort = _choice("sort", "As upstreams list them by default.", ["newest", "context-high-to-low"])

    def listed(operation_id: str, summary: str) -> dict[str, Operation]:
        return {"get": _read(operation_id, summary, "Models", "ModelsListResponse", [*page, *filters, sort], (400,))}

    def one(operation_id: str, summary: str, schema: str) -> dict[str, Operation]:
        return {"get": _read(operation_id, summary, "Models", schema, named, (404,))}

    return {
        "/models": listed("getModels", "The models of all upstreams"),
        "/models/user": listed("listModelsUser", "The models that the key may use, which are all"),
        "/embeddings/models": listed("listEmbeddingsModels", "The models that make embeddings, as far as is known"),
        "/models/count": {
            "get": _read(
                "listModelsCount", "How many models there are", "Models", "ModelsCountResponse", filters, (400,)
            )
        },
        "/model/{author}/{slug}": one("getModel", "One model", "ModelResponse"),
        "/models/{author}/{slug}": one("retrieveModel", "One model, as OpenAI's clients ask for it", "ModelResponse"),
        "/models/{author}/{slug}/endpoints": one(
            "listEndpoints", "The upstreams that serve a model", "ListEndpointsResponse"
        ),
        "/providers": {"get": _read("listProviders", "The upstreams", "Providers", "ProvidersResponse")},
    }


def _count_tokens(messages: dict[str, Any]) -> dict[str, Operation]:
    operation = _infer(
        "countTokens", "The tokens of a message, counted before it is sent", "Messages", messages, streams=False
    )
    answer = operation["post"]["responses"]["200"]
    answer["description"] = "The upstream's count, or an estimate that says so; no usage is recorded."
    answer["content"] = {"application/json": {"schema": ref("MessageTokensCount")}}
    return operation


def _infer(
    operation_id: str, summary: str, tag: str, asked: dict[str, Any], member: str = "messages", *, streams: bool = True
) -> dict[str, Operation]:
    properties: dict[str, Any] = {"model": {"type": "string", "minLength": 1}, member: asked}
    content: dict[str, Any] = {"application/json": {"schema": ref("Fields")}}
    if streams:
        properties["stream"] = {"type": "boolean", "default": False}
        content["text/event-stream"] = {"schema": {"type": "string"}}
    example: dict[str, Any] = {"model": "tokenboard/echo", member: "Hello"}
    if member == "messages":
        example |= {member: [{"role": "user", "content": "Hello"}], "max_tokens": 100}
    body = {"type": "object", "required": ["model", member], "properties": properties, "examples": [example]}
    body["description"] = "What else it holds goes to the upstream as it came."
    text = {"schema": {"type": "string"}}
    headers = {
        "X-Generation-Id": text | {"description": "What `GET /generation` takes."},
        "X-Tokenboard-App": text | {"description": "The app that the request counts for, or why for none."},
    }
    answer = {"description": "The upstream's own answer, as it came.", "headers": headers, "content": content}
    return {
        "post": {
            "operationId": operation_id,
            "summary": summary,
            "tags": [tag],
            "security": needs(Scope.INFERENCE),
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {
                "200": answer,
                **refusals(
                    *(400, 401, 403, 413, 415, 429, 500, 502, 503, 504),
                    schema="MessagesError" if tag == "Messages" else "Error",
                ),
            },
        }
    }


def _read(
    operation_id: str,
    summary: str,
    tag: str,
    schema: str,
    parameters: list[dict[str, Any]] | None = None,
    more: tuple[int, ...] = (),
    *,
    scope: Scope | None = Scope.INFERENCE,
) -> Operation:
    answer = {"description": "The answer.", "content": {"application/json": {"schema": ref(schema)}}}
    return {
        "operationId": operation_id,
        "summary": summary,
        "tags": [tag],
        **({} if scope is None else {"security": needs(scope)}),
        "parameters": parameters or [],
        "responses": {"200": answer, **refusals(*sorted({401, 403, 503, *more}))},
    }


def _own() -> dict[str, dict[str, Operation]]:
    events = {"type": "array", "items": ref("UsageEvent"), "maxItems": 10_000}
    accepted = {"application/json": {"schema": ref("UsageAccepted")}}
    return {
        "/attribution": {
            "get": _read(
                "checkAttribution",
                "How this very request would be attributed",
                "Attribution",
                "AttributionResponse",
                scope=None,
            )
        },
        "/usage": {
            "post": {
                "operationId": "reportUsage",
                "summary": "Usage metered elsewhere",
                "description": (
                    "A bad event is named and nothing is stored. An id sent again within seven days counts once. "
                    "Bodies hold 16 MiB at most, unpacked; gzip and zstd are taken."
                ),
                "tags": ["Usage"],
                "security": needs(Scope.INGEST),
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": events},
                        "application/x-ndjson": {"schema": {"type": "string"}},
                    },
                },
                "responses": {
                    "202": {"description": "On disk, each event once.", "content": accepted},
                    **refusals(400, 401, 403, 413, 415, 503),
                },
            }
        },
    }


def _values(choices: Any) -> list[str]:
    return [each.value for each in choices]
