"""Parses the body of a request for inference, once, and makes the body to send upstream."""

import msgspec

from tokenboard.gateway.endpoints import CHAT, Endpoint
from tokenboard.gateway.inference import InferenceRequest
from tokenboard.gateway.json_object import JsonObject
from tokenboard.problem import Problem

MAX_MODEL = 200
"""Longest model name accepted, in characters."""

_READ = frozenset({"model", "stream", "stream_options"})
_FREQUENT = frozenset(
    {
        "frequency_penalty", "input", "instructions", "max_completion_tokens", "max_output_tokens", "max_tokens",
        "messages", "metadata", "model", "n", "parallel_tool_calls", "presence_penalty", "prompt", "reasoning",
        "reasoning_effort", "response_format", "seed", "stop", "store", "stream", "stream_options", "system",
        "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p", "user",
    }
)  # fmt: skip
_USAGE = frozenset({"include_usage"})
_ASKING = b'{"include_usage":true}'
_encoder = msgspec.json.Encoder()


def parse_request(body: bytes, endpoint: Endpoint = CHAT, query: bytes = b"") -> InferenceRequest:
    """Parse a JSON body sent to an inference endpoint. Of duplicate members the last counts.

    Raises:
        Problem: 400, naming the member at fault.

    """
    try:
        given = JsonObject(body)
        model, stream, options = given.value("model"), given.value("stream"), given.raw("stream_options")
        is_object = asks_usage = False
        if options is not None and options.startswith(b"{"):
            is_object, asks_usage = True, options == _ASKING or JsonObject(options).value("include_usage") is True
        repeats = given.repeats(_READ)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not body.strip():
            message = f"The body is empty: send a JSON object with `model` and `{endpoint.input}`."
            raise Problem(400, message) from error
        raise Problem(400, f"The body is not a valid JSON object: {error}.") from error
    _refuse_look_alikes(given)
    if model is None:
        raise Problem(400, "`model` is missing: name one of the models that GET /api/v1/models lists.", param="model")
    if not isinstance(model, str) or not model.strip():
        raise Problem(400, "`model` must be a string that is not empty.", param="model")
    if len(model) > MAX_MODEL or not model.isprintable():
        raise Problem(400, f"`model` must be at most {MAX_MODEL} printable characters.", param="model")
    if stream is not None and not isinstance(stream, bool):
        raise Problem(400, "`stream` must be true or false.", param="stream")
    if not is_object and options not in {None, b"null"}:
        raise Problem(400, "`stream_options` must be an object.", param="stream_options")
    if repeats:
        body = given.without_repeats(_READ)
    return InferenceRequest(model, stream is True, asks_usage, body, endpoint.asks_usage, query)


def body_for_upstream(request: InferenceRequest, model: str, *, include_usage: bool) -> bytes:
    """Return the body to send upstream: the client's bytes, unless the model's name or the stream's options change.

    With ``include_usage`` a stream requests its usage from the upstream (usage: rule 3). The rest keeps its bytes.

    Raises:
        Problem: 400, what must change cannot be found: a body that is relayed unchanged was not parsed before.

    """
    if request.span is not None and model != request.model:
        start, end = request.span
        return request.body[:start] + model.encode() + request.body[end:]
    add_usage = include_usage and request.stream and request.can_ask_usage and not request.asks_usage
    if model == request.model and not add_usage:
        return request.body
    try:
        return _changed(request, model, add_usage=add_usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is not a valid JSON object: {error}.") from error


def _changed(request: InferenceRequest, model: str, *, add_usage: bool) -> bytes:
    given = JsonObject(request.body)
    values: dict[str, bytes] = {}
    if model != request.model:
        values["model"] = _encoder.encode(model)
    if add_usage:
        options = given.raw("stream_options")
        values["stream_options"] = _ASKING if options is None or options == b"null" else _asking(options)
    return given.changed(values)


def _asking(options: bytes) -> bytes:
    """Return a stream's options with ``include_usage`` set."""
    given = JsonObject(options)
    if given.repeats(_USAGE):
        given = JsonObject(given.without_repeats(_USAGE))
    return given.changed({"include_usage": b"true"})


def _refuse_look_alikes(given: JsonObject) -> None:
    """Refuse ``Model`` and the like: servers that match names case-insensitively would read it as ``model``."""
    for name in given.names():
        if name not in _FREQUENT and name.casefold() in _READ:
            raise Problem(400, f"Member names are case-sensitive: send `{name.casefold()}`, not `{name}`.")
