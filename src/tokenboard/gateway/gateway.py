"""The data plane: from a request to its upstream without a web framework or an asyncio task."""

import asyncio
import random
import secrets
from collections.abc import Callable

from tokenboard.attribution import AttributionOptions, attribute, client_family
from tokenboard.auth import Auth
from tokenboard.gateway.attempts import Attempts
from tokenboard.gateway.call import Attributed, Call, Known
from tokenboard.gateway.client import ClientStalled, Exchange, Head
from tokenboard.gateway.count import count_tokens
from tokenboard.gateway.cross_origin import cors_headers, preflight_headers
from tokenboard.gateway.endpoints import ENDPOINTS, MAX_ENDPOINT, Endpoint
from tokenboard.gateway.headers import AnswerHeadersReader
from tokenboard.gateway.introduction import Fields, introduce
from tokenboard.gateway.memory import FIELD_BYTES, Memory
from tokenboard.gateway.models import ONE_MODEL, PATHS, ModelList
from tokenboard.gateway.passthrough import UNKNOWN_MODEL, encoded_path, is_use, opaque_request
from tokenboard.gateway.relay import RETRY_AFTER_S, NotRecorded, Relay, Terms, unrecorded_problem
from tokenboard.gateway.request import parse_request
from tokenboard.gateway.unread import UnreadReport
from tokenboard.gateway.upstreams import Upstreams
from tokenboard.intake import Intake
from tokenboard.keys import Scope
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.problem import Dialect, Problem, dialect_of
from tokenboard.spool import SpoolError

BASES = ("/api/v1", "/v1")
"""Where the inference endpoints live: the Data API's base and the OpenAI-style alias."""

_log = logger("gateway")


class Gateway:
    """Answers the inference endpoints and the lists of models; `owns` tells which paths these are.

    ``max_body`` is in bytes. ``drain_s`` is how many seconds an upstream is still read after the client disconnects;
    None cancels it at once (usage: rule 4). A client that reads nothing for ``send_timeout_s`` counts as disconnected.
    ``cors_origin`` is the value of Access-Control-Allow-Origin; None sends no CORS headers.
    """

    def __init__(
        self,
        *,
        auth: Auth,
        intake: Intake,
        upstreams: Upstreams,
        options: AttributionOptions,
        clock_ms: Callable[[], int],
        max_body: int,
        drain_s: float | None,
        send_timeout_s: float,
        counters: Counters,
        cors_origin: str | None = None,
    ) -> None:
        self._auth = auth
        self._intake = intake
        self._upstreams = upstreams
        self._models = ModelList(upstreams)
        self._options = options
        self._clock_ms = clock_ms
        self._max_body = max_body
        # Ids must be unique, not secret: looking one up needs a key of its account.
        self._dice = random.Random(secrets.randbits(256))  # noqa: S311
        self._send_timeout_s = send_timeout_s
        self._counters = counters
        self._told = BoundedLog(_log)
        self._inference = {base + endpoint.path: endpoint for base in BASES for endpoint in ENDPOINTS}
        self._lists = {base + path: path for base in BASES for path in PATHS if "{" not in path}
        self._paths = frozenset((*self._inference, *self._lists))
        self._one_model = tuple(base + path for base in BASES for path in ONE_MODEL)
        self._cors = () if cors_origin is None else cors_headers(cors_origin)
        self._attributed: Memory[Fields, Attributed] = Memory()
        unread, headers = UnreadReport(counters, _log), AnswerHeadersReader()
        self._metered = Terms(intake, unread, headers, drain_s=drain_s, clock_ms=clock_ms)
        self._unmetered = Terms(NotRecorded(), None, headers, drain_s=drain_s, clock_ms=clock_ms)

    def attribute_by(self, options: AttributionOptions) -> None:
        """Use other attribution options from now on."""
        self._options = options
        self._attributed = Memory()

    def owns(self, path: str) -> bool:
        """Whether a path is the gateway's: inference, lists of models, and calls that upstreams pass through."""
        return (
            path in self._paths
            or (path.startswith(self._one_model) and not path.endswith("/apps"))
            or (self._upstreams.takes_more and bool(self._upstreams.methods(_below_base(path))))
        )

    async def answer(self, exchange: Exchange, /) -> None:
        """Answer one HTTP request whose path the gateway owns, as an `InlineTask`."""
        now = self._clock_ms()
        call = Call(exchange, f"gen-{now}-{self._dice.getrandbits(80):020x}", now, self._send_timeout_s)
        try:
            known = call.known = self._known(exchange.head)
            call.asked = known.asked
            app = call.app = known.app
            call.own.append(app.header)
            path = exchange.head.path
            if self._cors:
                call.own += self._cors
                if exchange.head.method == "OPTIONS":
                    call.client.send_head(204, [*preflight_headers(self._methods(path)), *call.own])
                    call.client.send_last(b"")
                    return
            endpoint = self._inference.get(path)
            if endpoint is not None:
                await self._infer(call, endpoint)
            elif path in self._lists or path.startswith(self._one_model):
                await self._list_models(call)
            else:
                await self._pass_on(call)
        except Problem as problem:
            _refuse(call, problem)
        except ClientStalled:
            self._counters.add("clients_stalled")
            self._told.warning("stalled", "a client stopped reading, its answer is cut", {"request_id": call.id})
        except SpoolError as error:
            facts = {"request_id": call.id, "reason": str(error), "hint": error.hint}
            self._told.error(type(error).__name__, "a store is away: an answer is withheld", facts)
            _refuse(call, unrecorded_problem())
        except Exception as fault:
            _log.error("a request failed by a fault of ours", extra={"request_id": call.id}, exc_info=fault)
            _refuse(call, _fault())

    async def aclose(self) -> None:
        """Close the connections to upstreams."""
        await self._upstreams.aclose()

    def _known(self, head: Head) -> Known:
        """Parse a request's headers, or reuse the result of an earlier request with the same head."""
        known = head.memo.value
        options = self._options
        if isinstance(known, Known) and known.options is options:
            return known
        asked = known.asked if isinstance(known, Known) else introduce(head.headers)
        app = self._attributed.recall(asked.of_the_app) or self._attribute(asked.of_the_app)
        found = head.memo.value = Known(asked, app, options)
        return found

    def _attribute(self, fields: Fields) -> Attributed:
        found = Attributed(attribute(fields, self._options))
        self._attributed.keep(fields, found, sum([len(name) + len(text) + FIELD_BYTES for name, text in fields]))
        return found

    async def _list_models(self, call: Call) -> None:
        head = call.exchange.head
        method, path = head.method, head.path
        _allow(method, "GET", "HEAD")
        self._check(call)
        anthropic = dialect_of(path, call.asked.fields) is Dialect.ANTHROPIC
        # In a task: asyncio.timeout does not work in an inline task.
        answer = self._models.answer(_below_base(path), head.query, anthropic=anthropic)
        body = await asyncio.ensure_future(answer)
        framing = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        call.client.send_head(200, [*framing, *call.own])
        await call.client.send_body(b"" if method == "HEAD" else body, last=True)

    async def _infer(self, call: Call, endpoint: Endpoint) -> None:
        exchange, asked = call.exchange, call.asked
        if exchange.head.method != "POST":
            _refuse_web_socket(call)
            _allow(exchange.head.method, "POST")
        self._check(call)
        if endpoint.metered:
            self._admit()
        if asked.compressed:
            raise Problem(415, "Send the body uncompressed: this endpoint does not take a Content-Encoding.")
        self._note_unattributed(call)
        body = call.client.whole_body(self._max_body)
        if body is None:
            body = await call.client.read_body(self._max_body)
            if endpoint.metered:
                self._admit()  # again: the body may have taken long to arrive
        request = parse_request(body, endpoint, exchange.head.query)
        candidates = self._upstreams.candidates(request.model)
        if not candidates:
            message = f"{request.model} is not a model served here; GET /api/v1/models lists those that are."
            raise Problem(400, message, param="model")
        call.endpoint, call.model, call.streamed = endpoint.name, request.model, request.stream
        attempts = Attempts(call, candidates, self._counters)
        answer = attempts.ask(endpoint.path, request, asked)
        if not endpoint.metered:
            await count_tokens(call, attempts, answer, request)
            return
        del request, body  # it may be large, and the answer may take minutes: free it now
        await Relay(call, endpoint, self._metered).run(answer)

    async def _pass_on(self, call: Call) -> None:
        """Relay a pass-through call; one that uses a model is metered like any other request."""
        head, fields = call.exchange.head, call.asked.fields
        method, path = head.method, _below_base(head.path)
        _allow(method, *sorted(self._upstreams.methods(path)))
        self._check(call)
        use = is_use(method, path)
        if use:
            self._admit()
            self._note_unattributed(call)
        kind = next((value for name, value in fields if name == b"content-type"), b"")
        body = await call.client.read_body(self._max_body)
        request = opaque_request(method, body, kind, head.query)
        candidates, rule = self._upstreams.passing(method, path, request.model)
        assert rule is not None  # noqa: S101 - the method is one of those that are taken
        if use:
            self._admit()
        endpoint = Endpoint(path, rule.glob[:MAX_ENDPOINT], "")
        call.endpoint, call.model, call.streamed = endpoint.name, request.model or UNKNOWN_MODEL, request.stream
        spelled = encoded_path(head.raw_path.decode("ascii"), path, BASES)
        answer = Attempts(call, candidates, self._counters).ask(spelled, request, call.asked)
        del request, body
        await Relay(call, endpoint, self._metered if use else self._unmetered).run(answer)

    def _methods(self, path: str) -> list[str]:
        if path in self._inference:
            return ["POST"]
        if path in self._lists or path.startswith(self._one_model):
            return ["GET", "HEAD"]
        return sorted(self._upstreams.methods(_below_base(path)))

    def _note_unattributed(self, call: Call) -> None:
        """Count requests that name no app by reason and client family: candidates for a fix, or for a rule."""
        reason = call.app.reason
        if reason is not None:
            agent = next((value for name, value in call.asked.fields if name == b"user-agent"), None)
            self._counters.add(f"unattributed.{reason}.{client_family(agent)}")

    def _admit(self) -> None:
        if self._intake.admit() is not None:
            raise _full()

    def _check(self, call: Call) -> None:
        """Check the call's key, and attribute again if a rule may give the key an app."""
        known = call.known
        revision = self._auth.revision
        key = known.key
        if key is None or known.revision != revision:
            asked = known.asked
            key = self._auth.check_credentials(
                asked.authorization, asked.api_key, Scope.INFERENCE, call.exchange.head.client
            )
            app = known.app
            if self._options.rules and not app.who.tracked:
                app = Attributed(attribute(asked.fields, self._options, key_label=key.label))
            known.key, known.app_of_key, known.revision = key, app, revision
        call.key = key
        if known.app_of_key is not call.app:
            call.app = known.app_of_key
            call.own[1] = call.app.header


def _below_base(path: str) -> str:
    """Return the path after the base; empty when it has none."""
    return next((path[len(base) :] for base in BASES if path.startswith(f"{base}/")), "")


def _refuse(call: Call, problem: Problem) -> None:
    """Answer with an error, in the shape that clients of this path read."""
    head = call.exchange.head
    call.client.refuse(problem, call.own, dialect_of(head.path, head.headers), call.id)


def _refuse_web_socket(call: Call) -> None:
    """Refuse a WebSocket handshake with 426: clients then fall back to HTTP at once, and retry on anything else.

    The handshake is recognized by its key (RFC 6455 section 4.1); Upgrade names our protocol (RFC 9110, 15.5.22).
    """
    if call.exchange.head.method == "GET" and any(name == b"sec-websocket-key" for name, _ in call.asked.fields):
        message = "No WebSocket is spoken here: send the request by POST, over HTTP/1.1."
        raise Problem(426, message, headers={"Upgrade": "HTTP/1.1", "Allow": "POST"})


def _full() -> Problem:
    return Problem(
        503,
        "The board cannot record more usage at the moment and takes no new requests; try again later.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _fault() -> Problem:
    return Problem(500, "Something went wrong here, not with your request; the server's log tells more.")


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        verbs = ", ".join(allowed)
        raise Problem(405, f"This endpoint takes {verbs}, not {method}.", headers={"Allow": verbs})
