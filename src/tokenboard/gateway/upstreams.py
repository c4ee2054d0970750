"""The upstreams: which of them serves a model, and how a request is sent to it."""

import asyncio
import fnmatch
import re
import ssl
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from tokenboard.gateway.headers import MAX_NAME, ForwardAttribution, Headers, request_headers, withheld_from_upstream
from tokenboard.gateway.inference import InferenceRequest
from tokenboard.gateway.introduction import Introduction, Rendered
from tokenboard.gateway.memory import FIELD_BYTES, Memory
from tokenboard.gateway.passthrough import PassRule, PassRules, may_pass
from tokenboard.gateway.query import UpstreamQuery
from tokenboard.gateway.request import body_for_upstream
from tokenboard.gateway.upstream import (
    Availability,
    Breaker,
    Limits,
    Origin,
    Pool,
    Timeouts,
    UpstreamError,
    client_context,
)
from tokenboard.gateway.upstream.request import Template, render_head, with_length
from tokenboard.observability import logger

ANTHROPIC_VERSION = b"2023-06-01"
"""Sent when we list an Anthropic upstream's models; requests carry the client's own version."""

MAX_LISTED_MODELS = 5_000
"""Models taken from one upstream's list at most."""

MAX_ASKED = 1_000
"""Page size for an Anthropic upstream's list of models: its maximum."""

LIST_WITHIN_S = 10.0
"""How long an upstream may take to list its models, in seconds."""

REMEMBERED_MODELS = 1_024
"""Model names, as clients send them, whose upstreams are cached."""

_MAX_LIST_BYTES = 16 * 1024 * 1024
_log = logger("gateway")


class UpstreamDialect(StrEnum):
    """How an upstream expects its key: ``Authorization: Bearer …``, or ``x-api-key: …``."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Answer(Protocol):
    """An upstream's answer as it arrives; see `tokenboard.gateway.upstream.Response` for the contract."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Response headers, as sent."""

    @property
    def complete(self) -> bool:
        """Whether the message ended properly."""

    @property
    def ended_hint(self) -> bool:
        """Whether the chunk just read was the last."""

    def arrived(self) -> bytes | None:
        """Return body bytes that are here already; None if `read_chunk` has to be awaited, for bytes or the end."""

    async def read_chunk(self) -> bytes:
        """Return the bytes that have arrived; b"" at the end."""

    def cancel(self) -> None:
        """Drop an answer that is not complete."""


class Upstream(Protocol):
    """One place that serves models: a server over HTTP, or the built-in echo."""

    @property
    def name(self) -> str:
        """The provider's name in the ledger."""

    @property
    def dialect(self) -> UpstreamDialect:
        """Whose API it speaks."""

    def serves(self, model: str) -> bool:
        """Whether this upstream serves the model."""

    def availability(self) -> Availability:
        """Whether it takes connections, as far as is known; call only before sending (see `Breaker.availability`)."""

    @property
    def passes(self) -> PassRules:
        """The pass-through calls that it takes."""

    def send(self, path: str, request: InferenceRequest, asked: Introduction) -> Coroutine[Any, Any, Answer]:
        """Send a request once awaited; raises UpstreamError, or Problem when the request itself is at fault."""

    async def probe(self) -> str | None:
        """Return what is wrong with it, None when it answers."""

    async def list_models(self) -> tuple[list[dict[str, Any]], bool]:
        """Return its models, each an object with an ``id`` as clients name it; False when it could not be asked."""

    async def aclose(self) -> None:
        """Close its connections."""


@dataclass(frozen=True, slots=True)
class UpstreamSpec:
    """The settings of one upstream.

    ``models`` are globs over the names clients use; with ``strip_prefix`` the part up to the first slash is removed
    before sending. ``query`` are parameters of every request, ``passthrough`` the pass-through calls that it takes.
    ``api_key`` is a secret: it is sent to this upstream and shown nowhere. ``tls_…`` apply to https only (see
    `client_context`).
    """

    name: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ("*",)
    strip_prefix: bool = False
    include_usage: bool = True
    dialect: UpstreamDialect = UpstreamDialect.OPENAI
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    forward_attribution: ForwardAttribution = ForwardAttribution.PASS
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(connect_s=10, first_byte_s=600, idle_s=300))
    max_connections: int = 1_000
    tls_ca_file: Path | None = None
    tls_verify: bool = True
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    passthrough: tuple[PassRule, ...] = ()


class HttpUpstream:
    """A server with the OpenAI or the Anthropic API. ``board`` are the attribution headers of the gateway itself.

    Raises ValueError for a specification that could never work; the text holds no secret.
    """

    def __init__(self, spec: UpstreamSpec, board: Headers) -> None:
        self._spec = spec
        self.name = spec.name
        self.dialect = spec.dialect
        self._globs = [re.compile(fnmatch.translate(glob)).match for glob in spec.models]
        self._known: list[dict[str, Any]] = []
        parts = urlsplit(spec.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"base_url must be an http or https URL, not {spec.base_url!r}")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError("base_url must have no user, query or fragment; headers and api_key_env name credentials")
        self._base = parts.path.rstrip("/")
        self._query = UpstreamQuery(spec.query)
        self.passes = PassRules(spec.passthrough)
        origin = Origin(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        limits = Limits(max_connections=spec.max_connections, max_idle=spec.max_connections, idle_keepalive_s=30.0)
        tls = _tls(spec) if parts.scheme == "https" else None
        self._breaker = Breaker(time.monotonic)
        self._pool = Pool(origin, limits=limits, timeouts=spec.timeouts, ssl_context=tls, breaker=self._breaker)
        self._authority = origin.authority
        self._forms: Memory[tuple[bytes, ...], tuple[Template, list[int]]] = Memory()
        self._own = _own_headers(spec, board)
        self._asking = [*_version(spec), *self._own]
        # Anthropic lists 20 unless asked for more.
        self._list_path = f"/models?limit={MAX_ASKED}" if spec.dialect is UpstreamDialect.ANTHROPIC else "/models"
        self._withheld = withheld_from_upstream(spec.forward_attribution, self._own)
        render_head(origin.authority, b"GET", self._target("/models"), self._own, b"")

    def serves(self, model: str) -> bool:
        """Whether one of the globs matches the model's name."""
        return any(matches(model) for matches in self._globs)

    def availability(self) -> Availability:
        """Whether it takes connections, as far as the last attempts tell."""
        return self._breaker.availability()

    def send(self, path: str, request: InferenceRequest, asked: Introduction) -> Coroutine[Any, Any, Answer]:
        """Send a request to the upstream once awaited; return when its response head has arrived.

        What follows from the headers' names is cached for all clients, as their values may differ each time; the
        rendered head is cached with the client's head.

        Raises:
            UpstreamError: it could not be reached, or its answer is not valid HTTP.

        """
        model = request.model.partition("/")[2] or request.model if self._spec.strip_prefix else request.model
        body = body_for_upstream(request, model, include_usage=self._spec.include_usage)
        if request.query or self._query.alone:
            path = f"{path}{self._query.of(request.query).decode('ascii')}"
        rendered = asked.rendered
        if rendered is None or rendered.by is not self or rendered.target != path or request.opaque:
            headers = asked.fields
            if request.opaque:
                passed = request_headers(headers, self._withheld, self._own)
                return self._pool.send(request.method, self._target(path), passed, body)
            names = tuple([name for name, _ in headers])
            if b"connection" in names:
                # It may name headers that must not be forwarded: that depends on its value.
                passed = request_headers(headers, self._withheld, self._own)
                return self._pool.send(b"POST", self._target(path), passed, body)
            template, picked = self._forms.recall(names) or self._form_of(names)
            values = tuple([headers[at][1] for at in picked])
            rendered = asked.rendered = Rendered(self, path, template.begin(self._target(path), values))
        return self._pool.send_rendered(with_length(rendered.beginning, len(body)), body)

    def _form_of(self, names: tuple[bytes, ...]) -> tuple[Template, list[int]]:
        """Return the template for requests with headers of these names, and the indexes of those that are sent."""
        lower = [name.lower() for name in names]
        picked = [at for at, name in enumerate(lower) if name not in self._withheld and len(name) <= MAX_NAME]
        form = Template(self._authority, [lower[at] for at in picked], self._own), picked
        self._forms.keep(names, form, sum(map(len, names)) + FIELD_BYTES * len(names))
        return form

    async def probe(self) -> str | None:
        """Return what is wrong with the upstream and how to fix it; None when it lists its models."""
        try:
            await self._listed()
        except UpstreamError as error:
            return f"{error}. {error.hint}"
        except ValueError as no_list:
            return (
                f"{no_list}. Check the upstream's base_url and its key, and that it serves GET /models below base_url."
            )
        return None

    async def list_models(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the models that the upstream lists, or last listed, and those that the globs name literally."""
        reached = True
        try:
            self._known = await self._listed()
        except (UpstreamError, ValueError) as error:
            _log.warning("an upstream gave no list of models", extra={"upstream": self.name, "reason": str(error)})
            reached = False
        prefix = next((glob.partition("/")[0] + "/" for glob in self._spec.models if "/" in glob), "")
        models = self._known
        if self._spec.strip_prefix and prefix and not set("*?[") & set(prefix):
            models = [entry | {"id": prefix + entry["id"]} for entry in models]
        named = {entry["id"] for entry in models}
        literal = [glob for glob in self._spec.models if not set("*?[") & set(glob) and glob not in named]
        return models + [{"id": name} for name in literal], reached

    async def _listed(self) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(LIST_WITHIN_S):
                status, body = await self._get(self._list_path)
        except TimeoutError as late:
            raise ValueError(f"GET /models took longer than {LIST_WITHIN_S:g} s") from late
        if status != 200:
            raise ValueError(f"GET /models answered {status}")
        try:
            entries = msgspec.json.decode(body)["data"]
            models = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        except (KeyError, TypeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError("GET /models did not answer with a list of models") from error
        return models[:MAX_LISTED_MODELS]

    async def _get(self, path: str) -> tuple[int, bytes]:
        target = self._target(path) + self._query.alone
        answer = await self._pool.send(b"GET", target, self._asking, b"")
        body = bytearray()
        try:
            while chunk := await answer.read_chunk():
                body += chunk
                if len(body) > _MAX_LIST_BYTES:
                    raise ValueError(f"GET {path} answered with more than {_MAX_LIST_BYTES:,} bytes")
        finally:
            answer.cancel()
        return answer.status, bytes(body)

    def _target(self, path: str) -> bytes:
        return f"{self._base}{path}".encode()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def _tls(spec: UpstreamSpec) -> ssl.SSLContext:
    return client_context(
        spec.tls_ca_file, verify=spec.tls_verify, cert_file=spec.tls_cert_file, key_file=spec.tls_key_file
    )


def _own_headers(spec: UpstreamSpec, board: Headers) -> list[tuple[bytes, bytes]]:
    own = [(name.lower().encode(), value.encode()) for name, value in spec.headers.items()]
    if spec.api_key:
        key = spec.api_key.strip().encode()
        bearer = spec.dialect is UpstreamDialect.OPENAI
        own.append((b"authorization", b"Bearer " + key) if bearer else (b"x-api-key", key))
    if spec.forward_attribution is ForwardAttribution.REPLACE:
        own += board
    return own


def _version(spec: UpstreamSpec) -> list[tuple[bytes, bytes]]:
    given = any(name.lower() == "anthropic-version" for name in spec.headers)
    return [] if given or spec.dialect is UpstreamDialect.OPENAI else [(b"anthropic-version", ANTHROPIC_VERSION)]


class Upstreams:
    """The upstreams in order; a model's request may go to those that serve it, and then to ``default``.

    Without ``failover`` it goes to the first of them only.
    """

    def __init__(
        self, upstreams: Sequence[Upstream], default: Upstream | None = None, *, failover: bool = True
    ) -> None:
        self._upstreams = tuple(upstreams)
        self._default = default
        self._failover = failover
        self._passing = tuple(upstream for upstream in self._upstreams if upstream.passes)
        self._found = lru_cache(maxsize=REMEMBERED_MODELS)(self._find)

    def candidates(self, model: str) -> tuple[Upstream, ...]:
        """Return the upstreams that a model's request may be sent to, in order; empty when none serves it."""
        return self._found(model)

    def _find(self, model: str) -> tuple[Upstream, ...]:
        found = [upstream for upstream in self._upstreams if upstream.serves(model)]
        if self._default is not None and self._default not in found:
            found.append(self._default)
        return tuple(found if self._failover else found[:1])

    @property
    def takes_more(self) -> bool:
        """Whether any of them takes pass-through calls."""
        return bool(self._passing)

    def methods(self, path: str) -> set[str]:
        """Return the methods with which a path is passed through; none when no upstream takes it."""
        return set().union(*(upstream.passes.methods(path) for upstream in self._passing)) if may_pass(path) else set()

    def passing(self, method: str, path: str, model: str) -> tuple[tuple[Upstream, ...], PassRule | None]:
        """Return the upstreams that a pass-through call may be sent to, in order, and the first one's rule.

        Those that serve the model it names; where it names none, or none serves it, the first that takes the call, so
        that what was stored there is found again.
        """
        taken = [upstream for upstream in self._passing if upstream.passes.find(method, path) is not None]
        found = [upstream for upstream in taken if model and upstream.serves(model)] or taken[:1]
        chosen = tuple(found if self._failover else found[:1])
        return chosen, chosen[0].passes.find(method, path) if chosen else None

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._upstreams)

    async def aclose(self) -> None:
        """Close all."""
        for upstream in self._upstreams:
            await upstream.aclose()
