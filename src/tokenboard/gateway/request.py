"""A request for inference, parsed once: what the relay needs to know of a body, and the body to send on."""

import re
from typing import Any

import msgspec

from tokenboard.gateway.endpoints import CHAT, Endpoint
from tokenboard.problem import Problem

MAX_MODEL = 200
"""Longest model name accepted, in characters."""

_READ = frozenset({"model", "stream", "stream_options"})
_ESCAPED_ASCII = b"\\u00"

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_name_and_colon = re.compile(rb'\s*"[^"\\]*(?:\\.[^"\\]*)*"\s*:\s*', re.DOTALL)
_comma = re.compile(rb"\s*,")
_end = re.compile(rb"\s*\}")


class InferenceRequest(msgspec.Struct, frozen=True, gc=False):
    """One parsed request: ``model`` as the client named it, whether it wants a stream, and the body's bytes.

    ``can_ask_usage``: its endpoint knows ``stream_options.include_usage``; ``asks_usage``: it is set.
    ``body`` is what the client sent, unless an upstream could read another ``model`` or ``stream`` in it than we did;
    then it is written anew, each member once.
    """

    model: str
    stream: bool
    asks_usage: bool
    body: bytes
    can_ask_usage: bool = True

    def __repr__(self) -> str:
        # Without the body: what is logged of a request, even by a traceback, holds no prompt.
        return f"InferenceRequest(model={self.model!r}, stream={self.stream!r}, body of {len(self.body)} bytes)"


def parse_request(body: bytes, endpoint: Endpoint = CHAT) -> InferenceRequest:
    """Parse a JSON body sent to an inference endpoint. Of members given twice the last counts.

    Raises:
        Problem: 400, naming the member at fault.

    """
    try:
        members = _members.decode(body)
        model, stream, options = _value(members, "model"), _value(members, "stream"), _value(members, "stream_options")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not body.strip():
            message = f"The body is empty: send a JSON object with `model` and `{endpoint.input}`."
            raise Problem(400, message) from error
        raise Problem(400, f"The body is not a valid JSON object: {error}.") from error
    _refuse_look_alikes(members)
    if model is None:
        raise Problem(400, "`model` is missing: name one of the models that GET /api/v1/models lists.", param="model")
    if not isinstance(model, str) or not model.strip():
        raise Problem(400, "`model` must be a string that is not empty.", param="model")
    if len(model) > MAX_MODEL or not model.isprintable():
        raise Problem(400, f"`model` must be at most {MAX_MODEL} printable characters.", param="model")
    if stream is not None and not isinstance(stream, bool):
        raise Problem(400, "`stream` must be true or false.", param="stream")
    if options is not None and not isinstance(options, dict):
        raise Problem(400, "`stream_options` must be an object.", param="stream_options")
    asks_usage = bool(options and options.get("include_usage") is True)
    if not _names_are_unique(body, members):
        body = _encoder.encode(members)
    return InferenceRequest(model, stream is True, asks_usage, body, endpoint.asks_usage)


def body_for_upstream(request: InferenceRequest, model: str, *, include_usage: bool) -> bytes:
    """Return the body to send on: the client's own bytes, unless the model's name or the stream's options must change.

    With ``include_usage`` a stream asks the upstream for its usage (usage: rule 3). Members that are not touched keep
    their bytes.
    """
    add_usage = include_usage and request.stream and request.can_ask_usage and not request.asks_usage
    if model == request.model and not add_usage:
        return request.body
    members = _members.decode(request.body)
    members["model"] = msgspec.Raw(_encoder.encode(model))
    if add_usage:
        options = _value(members, "stream_options") or {}
        members["stream_options"] = msgspec.Raw(_encoder.encode(options | {"include_usage": True}))
    return _encoder.encode(members)


def _value(members: dict[str, msgspec.Raw], name: str) -> Any:
    raw = members.get(name)
    return None if raw is None else _any.decode(raw)


def _refuse_look_alikes(members: dict[str, msgspec.Raw]) -> None:
    """Refuse ``Model`` and its like: servers that match names without regard to case would take it for ``model``."""
    for name in members:
        if name not in _READ and name.casefold() in _READ:
            raise Problem(400, f"Member names are case-sensitive: send `{name.casefold()}`, not `{name}`.")


def _names_are_unique(body: bytes, members: dict[str, msgspec.Raw]) -> bool:
    """Tell whether no member that we read is given twice, so that every parser finds in ``body`` what we found.

    Nearly always the names stand in the bytes at most once, and cannot be spelled otherwise than with escaped ASCII.
    Else the members, as parsed, are laid beside the bytes: they fit, one after the other, only when none hides another.
    """
    if (
        _ESCAPED_ASCII not in body
        and body.count(b'"model"') <= 1
        and body.count(b'"stream"') <= 1
        and body.count(b'"stream_options"') <= 1
    ):
        return True
    at = body.index(b"{") + 1
    for position, raw in enumerate(members.values(), start=1):
        name = _name_and_colon.match(body, at)
        value = bytes(raw)
        if name is None or not body.startswith(value, name.end()):
            return False
        at = name.end() + len(value)
        following = (_end if position == len(members) else _comma).match(body, at)
        if following is None:
            return False
        at = following.end()
    return True
