"""The data plane: no framework, and no task, between a request and its upstream."""

import asyncio
import random
import secrets
from collections.abc import Callable

from tokenboard.attribution import Attribution, AttributionOptions, attribute, client_family
from tokenboard.auth import Auth
from tokenboard.gateway.attempts import Attempts
from tokenboard.gateway.client import Client, ClientStalled, Line
from tokenboard.gateway.count import count_tokens
from tokenboard.gateway.cross_origin import cors_headers, preflight_headers
from tokenboard.gateway.endpoints import ENDPOINTS, MAX_ENDPOINT, Endpoint
from tokenboard.gateway.introduction import Introduction, introduce
from tokenboard.gateway.memory import FIELD_BYTES, Memory
from tokenboard.gateway.models import ONE_MODEL, PATHS, ModelList
from tokenboard.gateway.passthrough import UNKNOWN_MODEL, encoded_path, is_use, opaque_request
from tokenboard.gateway.relay import RETRY_AFTER_S, NotRecorded, Recorder, Relay, unrecorded_problem
from tokenboard.gateway.request import InferenceRequest, parse_request
from tokenboard.gateway.unread import UnreadReport
from tokenboard.gateway.upstreams import Upstreams
from tokenboard.intake import Caller, Intake
from tokenboard.keys import Key, Scope
from tokenboard.observability import BoundedLog, Counters, logger
from tokenboard.problem import Dialect, Problem, dialect_of
from tokenboard.spool import SpoolError

Fields = tuple[tuple[bytes, bytes], ...]
OwnHeaders = list[tuple[bytes, bytes]]

BASES = ("/api/v1", "/v1")
"""Where the inference endpoints live: the Data API's base and the OpenAI-style alias."""

_log = logger("gateway")


class Gateway:
    """Answers the inference endpoints, and what models there are; `owns` tells which paths these are.

    ``max_body`` is in bytes. ``drain_s`` is for how many seconds an upstream is read on after the client has left; None
    cancels it at once (usage: rule 4). A client that takes nothing for ``send_timeout_s`` counts as one that left.
    ``cors_origin`` is what Access-Control-Allow-Origin says to pages of other origins; None tells them nothing.
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
        # Ids must not meet, they need not be secret: whoever asks for one is asked for its account's key.
        self._dice = random.Random(secrets.randbits(256))  # noqa: S311
        self._drain_s = drain_s
        self._send_timeout_s = send_timeout_s
        self._counters = counters
        self._unread = UnreadReport(counters, _log)
        self._told = BoundedLog(_log)
        self._inference = {base + endpoint.path: endpoint for base in BASES for endpoint in ENDPOINTS}
        self._lists = {base + path: path for base in BASES for path in PATHS if "{" not in path}
        self._paths = frozenset((*self._inference, *self._lists))
        self._one_model = tuple(base + path for base in BASES for path in ONE_MODEL)
        self._cors = () if cors_origin is None else cors_headers(cors_origin)
        self._attributed: Memory[Fields, tuple[Attribution, bytes]] = Memory()

    def owns(self, path: str) -> bool:
        """Whether a path is the gateway's: inference, what models there are, and what an upstream takes beside them."""
        return (
            path in self._paths
            or (path.startswith(self._one_model) and not path.endswith("/apps"))
            or (self._upstreams.takes_more and bool(self._upstreams.methods(_below_base(path))))
        )

    async def answer(self, line: Line, /) -> None:
        """Answer one HTTP request whose path the gateway owns, as an `InlineTask`."""
        now = self._clock_ms()
        request_id = f"gen-{now}-{self._dice.getrandbits(80):020x}"
        client = Client(line, self._send_timeout_s)
        own: OwnHeaders = [(b"x-generation-id", request_id.encode())]
        try:
            asked = introduce(line.scope["headers"])
            who, app_header = self._attributed.recall(asked.of_the_app) or self._attribute(asked.of_the_app)
            own.append((b"x-tokenboard-app", app_header))
            own += self._cors
            path = line.scope["path"]
            if self._cors and line.scope["method"] == "OPTIONS":
                client.send_head(204, [*preflight_headers(self._methods(path)), *own])
                await client.send_body(b"", last=True)
            elif path in self._inference:
                await self._infer(line, client, own, asked, who, request_id, now)
            elif path in self._lists or path.startswith(self._one_model):
                await self._list_models(line, client, own, asked, who)
            else:
                await self._pass_on(line, client, own, asked, who, request_id, now)
        except Problem as problem:
            _refuse(line, client, problem, own, request_id)
        except ClientStalled:
            self._counters.add("clients_stalled")
            self._told.warning("stalled", "a client stopped reading, its answer is cut", {"request_id": request_id})
        except SpoolError as error:
            facts = {"request_id": request_id, "reason": str(error), "hint": error.hint}
            self._told.error(type(error).__name__, "a store is away: an answer is withheld", facts)
            _refuse(line, client, unrecorded_problem(), own, request_id)
        except Exception as error:
            _log.error("a request failed by a fault of ours", extra={"request_id": request_id}, exc_info=error)
            _refuse(line, client, _fault(), own, request_id)

    async def aclose(self) -> None:
        """Let go of the upstreams' connections."""
        await self._upstreams.aclose()

    def _attribute(self, fields: Fields) -> tuple[Attribution, bytes]:
        who = attribute(fields, self._options)
        found = who, _app_header(who)
        self._attributed.keep(fields, found, sum([len(name) + len(text) + FIELD_BYTES for name, text in fields]))
        return found

    async def _list_models(
        self, line: Line, client: Client, own: OwnHeaders, asked: Introduction, who: Attribution
    ) -> None:
        scope = line.scope
        method, path = scope["method"], scope["path"]
        _allow(method, "GET", "HEAD")
        self._check(line, asked, own, who)
        path = _below_base(path)
        anthropic = dialect_of(scope["path"], asked.fields) is Dialect.ANTHROPIC
        # In a task: upstreams are asked under a timeout, which an errand has not.
        body = await asyncio.ensure_future(self._models.answer(path, scope["query_string"], anthropic=anthropic))
        framing = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        client.send_head(200, [*framing, *own])
        await client.send_body(b"" if method == "HEAD" else body, last=True)

    async def _infer(
        self,
        line: Line,
        client: Client,
        own: OwnHeaders,
        asked: Introduction,
        who: Attribution,
        request_id: str,
        now: int,
    ) -> None:
        endpoint = self._inference[line.scope["path"]]
        if line.scope["method"] != "POST":
            _refuse_web_socket(line, asked)
            _allow(line.scope["method"], "POST")
        key, who = self._check(line, asked, own, who)
        if endpoint.metered:
            self._admit()
        if asked.compressed:
            raise Problem(415, "Send the body uncompressed: this endpoint does not take a Content-Encoding.")
        self._note_unattributed(who, asked)
        request = parse_request(await client.read_body(self._max_body), endpoint, line.scope["query_string"])
        candidates = self._upstreams.candidates(request.model)
        if not candidates:
            message = f"{request.model} is not a model served here; GET /api/v1/models lists those that are."
            raise Problem(400, message, param="model")
        if endpoint.metered:
            self._admit()  # once more: the body may have taken its time
        attempts = Attempts(candidates, request_id, self._counters)
        if not endpoint.metered:
            answer = attempts.ask(endpoint.path, request, asked.fields)
            await count_tokens(client, attempts, answer, request, own, request_id)
            return
        relay = self._relay(client, own, key, who, request_id, now, attempts, endpoint, request)
        answer = attempts.ask(endpoint.path, request, asked.fields)
        del request  # its body may be large, and the answer may take minutes
        await relay.run(answer)

    async def _pass_on(
        self,
        line: Line,
        client: Client,
        own: OwnHeaders,
        asked: Introduction,
        who: Attribution,
        request_id: str,
        now: int,
    ) -> None:
        """Relay a call that is none of ours; one that uses a model is a request like any other."""
        method, path = line.scope["method"], _below_base(line.scope["path"])
        _allow(method, *sorted(self._upstreams.methods(path)))
        key, who = self._check(line, asked, own, who)
        use = is_use(method, path)
        if use:
            self._admit()
            self._note_unattributed(who, asked)
        kind = next((value for name, value in asked.fields if name == b"content-type"), b"")
        body = await client.read_body(self._max_body)
        request = opaque_request(method, body, kind, line.scope["query_string"])
        candidates, rule = self._upstreams.passing(method, path, request.model)
        assert rule is not None  # noqa: S101 - the method is one of those that are taken
        if use:
            self._admit()
        attempts = Attempts(candidates, request_id, self._counters)
        endpoint = Endpoint(path, rule.glob[:MAX_ENDPOINT], "")
        recorder = self._intake if use else NotRecorded()
        relay = self._relay(client, own, key, who, request_id, now, attempts, endpoint, request, recorder)
        spelled = encoded_path(line.scope["raw_path"].decode("ascii"), path, BASES)
        answer = attempts.ask(spelled, request, asked.fields)
        del request, body
        await relay.run(answer)

    def _relay(
        self,
        client: Client,
        own: OwnHeaders,
        key: Key,
        who: Attribution,
        request_id: str,
        now: int,
        attempts: Attempts,
        endpoint: Endpoint,
        request: InferenceRequest,
        recorder: Recorder | None = None,
    ) -> Relay:
        return Relay(
            client,
            intake=recorder or self._intake,
            caller=Caller(key.account_id, key.id, key.label),
            attribution=who,
            request_id=request_id,
            ts_ms=now,
            model=request.model or UNKNOWN_MODEL,
            attempts=attempts,
            endpoint=endpoint,
            streamed=request.stream,
            own=own,
            drain_s=self._drain_s,
            unread=None if isinstance(recorder, NotRecorded) else self._unread,
        )

    def _methods(self, path: str) -> list[str]:
        if path in self._inference:
            return ["POST"]
        if path in self._lists or path.startswith(self._one_model):
            return ["GET", "HEAD"]
        return sorted(self._upstreams.methods(_below_base(path)))

    def _note_unattributed(self, who: Attribution, asked: Introduction) -> None:
        """Count who names no app, by reason and family of client: whom to tell, or to make a rule for."""
        if who.app is None:
            agent = next((value for name, value in asked.fields if name == b"user-agent"), None)
            self._counters.add(f"unattributed.{who.reason}.{client_family(agent)}")

    def _admit(self) -> None:
        if self._intake.admit() is not None:
            raise _full()

    def _check(self, line: Line, asked: Introduction, own: OwnHeaders, who: Attribution) -> tuple[Key, Attribution]:
        """Return the request's key, and its attribution once more, now that the key may give an app by a rule."""
        key = self._auth.check_credentials(asked.authorization, asked.api_key, Scope.INFERENCE, line.scope["client"])
        if self._options.rules and not who.tracked:
            who = attribute(asked.fields, self._options, key_label=key.label)
            own[1] = (b"x-tokenboard-app", _app_header(who))
        return key, who


def _below_base(path: str) -> str:
    """Return what follows the base; nothing where there is none."""
    return next((path[len(base) :] for base in BASES if path.startswith(f"{base}/")), "")


def _refuse(line: Line, client: Client, problem: Problem, own: OwnHeaders, request_id: str) -> None:
    """Tell a client what is wrong, as clients of the address it asked at read it."""
    client.refuse(problem, own, dialect_of(line.scope["path"], line.scope["headers"]), request_id)


def _refuse_web_socket(line: Line, asked: Introduction) -> None:
    """Tell a client that wants a WebSocket to use HTTP: at 426 it does so at once, anything else it tries again.

    The handshake is known by its key (RFC 6455 section 4.1); Upgrade names what is spoken here (RFC 9110, 15.5.22).
    """
    if line.scope["method"] == "GET" and any(name == b"sec-websocket-key" for name, _ in asked.fields):
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


def _app_header(who: Attribution) -> bytes:
    """Return the value of ``X-Tokenboard-App`` (attribution: Asking how a request would be attributed)."""
    if who.app is not None:
        return who.app.url.encode("ascii", "ignore")
    return f"none; reason={who.reason}".encode("ascii")


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        verbs = ", ".join(allowed)
        raise Problem(405, f"This endpoint takes {verbs}, not {method}.", headers={"Allow": verbs})
