"""Pass-through calls: endpoints that the gateway does not know, relayed unchanged where an upstream's settings say so.

    [[upstream]] passthrough = ["POST /rerank", "POST /audio/*", "GET /files/*"]

A call is a method and a path below the base; its body is not interpreted. Where it names a model, in JSON or in a form,
the model selects among the upstreams that take the call.
"""

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from tokenboard.gateway.inference import InferenceRequest
from tokenboard.gateway.request import MAX_MODEL

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
"""The methods that can be relayed."""

UNKNOWN_MODEL: Final = "unknown"
"""The model of a request that names none."""

RESERVED: Final = frozenset(
    {
        "activity", "admin", "analytics", "apps", "attribution", "auth", "credits", "datasets", "generation", "key",
        "keys", "model", "models", "openapi.json", "providers", "traces", "usage",
    }
)  # fmt: skip
"""First path segments of the board's own routes: never passed through, whatever the settings say."""

_OWN: Final = frozenset({"/embeddings/models"})
_RULE = re.compile(r"([A-Z]+|\*) +(/\S*)", re.ASCII)
_STORED: Final = frozenset(
    {"assistants", "batches", "containers", "evals", "files", "fine_tuning", "threads", "uploads", "vector_stores"}
)
_NO_USE: Final = frozenset({"batches", "cancel", "count_tokens", "input_tokens"})
_FORM_MODEL = re.compile(rb'name="?model"?\r\n(?:[!-9;-~]+:[^\r\n]*\r\n){0,8}\r\n([^\r\n]{1,800})\r\n', re.IGNORECASE)
_HEAD_OF_FORM: Final = 64 * 1024


class _Named(msgspec.Struct):
    model: str
    stream: bool = False


_named = msgspec.json.Decoder(_Named)


@dataclass(frozen=True, slots=True)
class PassRule:
    """One method, or ``*`` for all of them, and a glob over paths below the base, such as ``/audio/*``."""

    method: str
    glob: str

    @classmethod
    def parse(cls, text: str) -> "PassRule":
        """Read a rule as the settings write it; raises ValueError with a sentence for the operator."""
        found = _RULE.fullmatch(text.strip())
        if found is None or (found[1] != "*" and found[1] not in METHODS):
            methods = ", ".join(sorted(METHODS))
            raise ValueError(
                f"passthrough {text!r} is no call: write a method ({methods}, or *) and a path below base_url, "
                'such as "POST /rerank"'
            )
        return cls(found[1], found[2])


class PassRules:
    """The rules of one upstream, in order."""

    __slots__ = ("_rules",)

    def __init__(self, rules: Iterable[PassRule]) -> None:
        self._rules = [(rule, re.compile(fnmatch.translate(rule.glob)).match) for rule in rules]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def methods(self, path: str) -> set[str]:
        """Return the methods with which a path is taken."""
        taken = {rule.method for rule, matches in self._rules if matches(path)}
        return set(METHODS) if "*" in taken else taken

    def find(self, method: str, path: str) -> PassRule | None:
        """Return the first rule that takes the call."""
        return next((rule for rule, fits in self._rules if rule.method in {method, "*"} and fits(path)), None)


def may_pass(path: str) -> bool:
    """Whether a decoded path below the base may be passed through at all.

    It must not be one of the board's own, and must be unambiguous: no segment is empty or goes up.
    """
    segments = path.split("/")[1:]
    return (
        segments != []
        and segments[0] not in RESERVED
        and path not in _OWN
        and path.isprintable()
        and "\\" not in path
        and not any(_is_ambiguous(unquote(segment)) for segment in segments)
    )


def _is_ambiguous(segment: str) -> bool:
    """Whether a server might read a segment as empty or going up: some ignore white space, or all after a semicolon."""
    return "/" in segment or segment.partition(";")[0].strip() in {"", ".", ".."}


def encoded_path(raw: str, path: str, bases: Iterable[str]) -> str:
    """Return a path below the base in the client's own encoding; encoded anew where the base was percent-encoded."""
    below = next((raw[len(base) :] for base in bases if raw.startswith(f"{base}/")), None)
    return quote(path, safe="/!$&'()*+,;=:@") if below is None else below


def is_use(method: str, path: str) -> bool:
    """Whether a call uses a model, and so is recorded: POST, except what only stores, counts or cancels.

    Reading a stored answer again does not: its tokens were counted when it was made.
    """
    segments = path.split("/")[1:]
    return method == "POST" and segments[0] not in _STORED and not _NO_USE.intersection(segments[1:])


def opaque_request(method: str, body: bytes, content_type: bytes, query: bytes) -> InferenceRequest:
    """Return a call to relay unchanged; its model is empty if it names none."""
    model, stream, span = "", False, None
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == b"application/json" or kind.endswith(b"+json"):
        try:
            named = _named.decode(body)
            model, stream = named.model, named.stream
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    elif kind == b"multipart/form-data":
        found = _form_model(body)
        if found is not None:
            span = found.span(1)
            model = found[1].decode("utf-8", "replace").strip()
    if len(model) > MAX_MODEL or not model.isprintable():
        model = ""
    return InferenceRequest(
        model, stream, True, body, can_ask_usage=False, query=query, method=method.encode(), opaque=True, span=span
    )


def _form_model(body: bytes) -> re.Match[bytes] | None:
    """Find the model's part at either end of a form: the middle is a file, most of the time."""
    return _FORM_MODEL.search(body, 0, _HEAD_OF_FORM) or (
        _FORM_MODEL.search(body, max(len(body) - _HEAD_OF_FORM, 0)) if len(body) > _HEAD_OF_FORM else None
    )
