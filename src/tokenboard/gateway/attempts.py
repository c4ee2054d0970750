"""Failover: tries the upstreams that serve a model, in order, until one accepts the request.

Which failures move on to the next upstream: docs/api.md, "When an upstream fails".
"""

from collections.abc import Coroutine, Sequence
from typing import Any

from tokenboard.gateway.call import Call
from tokenboard.gateway.inference import InferenceRequest
from tokenboard.gateway.introduction import Introduction
from tokenboard.gateway.upstream import Availability, ConnectFailed, ConnectTimeout, PoolExhausted, UpstreamError
from tokenboard.gateway.upstreams import Answer, Upstream, UpstreamDialect
from tokenboard.observability import Counters, logger

_TOO_MANY_REQUESTS = 429
_NOBODY = "no upstream of the model has accepted a connection lately"
_log = logger("gateway")


class Attempts:
    """One request, and the upstreams it may be sent to, in order (at least one).

    The call's ``provider`` is kept up to date. Every attempt that fails is counted as ``upstream_failed.NAME.REASON``
    (500 for every 5xx), every upstream skipped because it takes no connections as ``upstream_skipped.NAME``.
    """

    __slots__ = ("_call", "_candidates", "_counters", "_failed", "_held", "_held_of")

    def __init__(self, call: Call, candidates: Sequence[Upstream], counters: Counters) -> None:
        self._call = call
        self._candidates = candidates
        self._counters = counters
        self._held: Answer | None = None
        self._held_of = ""
        self._failed: tuple[str, str] | None = None
        call.provider = candidates[0].name

    @property
    def dialect(self) -> UpstreamDialect:
        """The dialect of the upstream that the call's ``provider`` names."""
        return next(upstream.dialect for upstream in self._candidates if upstream.name == self._call.provider)

    def ask(self, path: str, request: InferenceRequest, asked: Introduction) -> Coroutine[Any, Any, Answer]:
        """Return the answer for the client: the first that is not a 429 or 5xx, else the last of those.

        Raises:
            UpstreamError: no upstream answered; the error of the last one tried.
            Problem: the request itself is at fault.

        """
        if len(self._candidates) == 1:
            return self._ask_only(self._candidates[0], path, request, asked)
        return self._ask_all(path, request, asked)

    async def _ask_all(self, path: str, request: InferenceRequest, asked: Introduction) -> Answer:
        try:
            answer = await self._first_taken(path, request, asked)
        except UpstreamError as error:
            if self._held is None:
                raise error
            # A 429 or 5xx from an upstream tells the client more than our own error about another upstream.
            answer, self._held, self._call.provider = self._held, None, self._held_of
            return answer
        finally:
            self._let_go()
        return answer

    async def _ask_only(self, upstream: Upstream, path: str, request: InferenceRequest, asked: Introduction) -> Answer:
        """Try the only upstream, even if it seems down, unless that would cost a connect timeout."""
        availability = upstream.availability()
        if availability is not Availability.READY:
            self._counters.add(f"upstream_skipped.{upstream.name}")
            if availability is not Availability.REFUSING:
                raise ConnectTimeout(_NOBODY)
        try:
            answer = await upstream.send(path, request, asked)
        except UpstreamError as error:
            self._counters.add(f"upstream_failed.{upstream.name}.{_reason(error)}")
            raise error
        if _refuses(answer.status):
            self._counters.add(f"upstream_failed.{upstream.name}.{min(answer.status, 500)}")
        return answer

    async def _first_taken(self, path: str, request: InferenceRequest, asked: Introduction) -> Answer:
        last = self._candidates[-1]
        passed_over: list[tuple[Upstream, Availability]] = []
        fault: UpstreamError | None = None
        for upstream in self._candidates:
            availability = upstream.availability()
            if availability is not Availability.READY:
                passed_over.append((upstream, availability))
                self._counters.add(f"upstream_skipped.{upstream.name}")
                continue
            answer, fault = await self._attempt(upstream, path, request, asked)
            if answer is None:
                continue
            if upstream is last or not _refuses(answer.status):
                return answer
            self._hold(answer, upstream)
        if self._held is not None:
            answer, self._held, self._call.provider = self._held, None, self._held_of
            return answer
        # No other upstream is left: try those that seem down as well, unless that would cost a connect timeout.
        for upstream in (upstream for upstream, availability in passed_over if availability is Availability.REFUSING):
            answer, fault = await self._attempt(upstream, path, request, asked)
            if answer is not None:
                return answer
        raise fault or ConnectTimeout(_NOBODY)

    async def _attempt(
        self, upstream: Upstream, path: str, request: InferenceRequest, asked: Introduction
    ) -> tuple[Answer | None, UpstreamError | None]:
        """Try one upstream; return its answer, or the error that shows that it never received the request.

        Any other error is raised: the upstream may have done, and billed, the work.
        """
        if self._failed is not None:
            failed, reason = self._failed
            facts = {"request_id": self._call.id, "upstream": failed, "reason": reason, "next": upstream.name}
            _log.warning("an upstream failed, the next one is asked", extra=facts)
        self._call.provider = upstream.name
        try:
            answer = await upstream.send(path, request, asked)
        except UpstreamError as error:
            reason = _reason(error)
            self._counters.add(f"upstream_failed.{upstream.name}.{reason}")
            if error.sent:
                raise error
            self._failed = upstream.name, str(error)
            return None, error
        if _refuses(answer.status):
            self._counters.add(f"upstream_failed.{upstream.name}.{min(answer.status, 500)}")
            self._failed = upstream.name, f"it answered {answer.status}"
        return answer, None

    def _hold(self, answer: Answer, upstream: Upstream) -> None:
        """Hold a 429 or 5xx back, in case the next upstream does better."""
        self._let_go()
        self._held, self._held_of = answer, upstream.name

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None


def _refuses(status: int) -> bool:
    """Tell whether the status is one on which the next upstream is tried: 429 or 5xx."""
    return status == _TOO_MANY_REQUESTS or 500 <= status <= 599


def _reason(error: UpstreamError) -> str:
    """Return why an attempt failed; ``answer`` when the upstream may have worked on the request."""
    if error.sent:
        return "answer"
    if isinstance(error, ConnectTimeout):
        return "connect_timeout"
    if isinstance(error, ConnectFailed):
        return "connect"
    return "exhausted" if isinstance(error, PoolExhausted) else "answer"
