"""The state of one request to the gateway, shared by all that help to answer it."""

from typing import Final, final

from tokenboard.attribution import Attribution, AttributionOptions
from tokenboard.event import Source, UsageEvent
from tokenboard.gateway.client import Client, Exchange
from tokenboard.gateway.introduction import Introduction
from tokenboard.intake import MAX_MODEL, MAX_PROVIDER
from tokenboard.keys import Key
from tokenboard.usage import Usage

_UNCOUNTED: Final = Usage()


@final
class Attributed:
    """An attribution in the form calls need: ``header`` is the answer's ``X-Tokenboard-App``, the rest event fields."""

    __slots__ = ("app_key", "categories", "header", "reason", "title", "who")

    def __init__(self, who: Attribution) -> None:
        app, reason = who.app, who.reason
        self.who = who
        self.app_key = None if app is None else app.key
        self.reason = None if reason is None else reason.value
        self.title = who.naming_title
        self.categories = who.categories
        header = f"none; reason={reason}" if app is None else app.url
        self.header = (b"x-tokenboard-app", header.encode("ascii", "ignore"))


@final
class Known:
    """What follows from a request's head, cached for later requests of its connection that have the same.

    ``app`` holds for ``options``. ``key``, and ``app_of_key`` with the rules for that key, hold for the keys of
    ``revision``; ``key`` is None until one was accepted.
    """

    __slots__ = ("app", "app_of_key", "asked", "key", "options", "revision")

    def __init__(self, asked: Introduction, app: Attributed, options: AttributionOptions) -> None:
        self.asked = asked
        self.app = app
        self.options = options
        self.key: Key | None = None
        self.app_of_key = app
        self.revision = 0


@final
class Call:
    """One request; ``key``, ``model``, ``endpoint`` and ``streamed`` are set once it is authorized and parsed.

    ``own`` are the gateway's own response headers. ``provider`` is the name of the upstream whose answer, or error, the
    client gets; until then that of the last one tried. Times are UTC epoch milliseconds.
    """

    __slots__ = (
        "app",
        "asked",
        "client",
        "endpoint",
        "exchange",
        "id",
        "key",
        "known",
        "model",
        "own",
        "provider",
        "streamed",
        "ts_ms",
    )

    def __init__(self, exchange: Exchange, call_id: str, ts_ms: int, send_timeout_s: float) -> None:
        self.exchange = exchange
        self.client = Client(exchange, send_timeout_s)
        self.id = call_id
        self.ts_ms = ts_ms
        self.own: list[tuple[bytes, bytes]] = [(b"x-generation-id", call_id.encode())]
        self.asked: Introduction
        self.known: Known
        self.app: Attributed
        self.key: Key
        self.endpoint = ""
        self.model = ""
        self.provider = ""
        self.streamed = False

    def event(
        self,
        received_ms: int,
        status: int,
        usage: Usage,
        *,
        failed: bool,
        latency_ms: int | None,
        first_token_ms: int | None,
        tool_calls: bool | None,
    ) -> UsageEvent:
        """Return the event that records this use of a model; a failed one carries no tokens, and no ``tool_calls``."""
        app, key = self.app, self.key
        source = usage.source
        if failed:
            usage, tool_calls = _UNCOUNTED, None
        return UsageEvent(
            self.id,
            self.ts_ms,
            received_ms,
            Source.GATEWAY,
            key.account_id,
            key.id,
            app.app_key,
            app.reason,
            app.title,
            app.categories,
            self.model[:MAX_MODEL],
            self.provider[:MAX_PROVIDER],
            self.endpoint,
            self.streamed,
            status,
            failed,
            source.value,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            usage.reasoning_tokens,
            usage.cost,
            latency_ms,
            first_token_ms,
            tool_calls,
        )
