"""How the routes of data answer: who may ask, how often, in which format, and with bytes that are made once."""

from collections.abc import Callable, Hashable
from functools import partial

from fastapi import Request, Response

from tokenboard.analytics import AnswerCache
from tokenboard.api.formats import Format, Payload, Rendered, render, requested_format
from tokenboard.api.services import Services
from tokenboard.http_fields import none_match
from tokenboard.keys import Scope
from tokenboard.problem import Problem
from tokenboard.rate_limits import Verdict
from tokenboard.workers import Workers

THREADS = 16
"""Answers made at one time; kept ones need no thread."""

ROOM = 32 * 1024**2
"""Bytes of answers and their questions kept."""

CACHE_CONTROL = "private, max-age=60, stale-while-revalidate=300"

_ALWAYS = {"Cache-Control": CACHE_CONTROL, "Vary": "Accept, Authorization", "X-Content-Type-Options": "nosniff"}


class Delivery:
    """Sends payloads; one for all routes, so that they share the room for answers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._workers = Workers("figures", THREADS)
        self._kept: AnswerCache[Rendered] = AnswerCache(ROOM)

    async def admit(self, request: Request) -> None:
        """Let a request in; how its limits stand goes into the answer's headers, whatever the answer will be.

        Raises:
            Problem: 401 or 403 by its key, 429 when the key or its account have asked too often.

        """
        key = self._services.auth.check(request.headers.raw, Scope.DATA, request.client)
        verdict = await self._services.rate_limits.take(key_id=key.id, account_id=key.account_id)
        if verdict is None:
            return
        request.state.headers = _rate_limit_headers(verdict)
        if verdict.wait_s is not None:
            per, whom = ("minute", "key") if verdict.window == "minute" else ("UTC day", "account")
            raise Problem(
                429,
                f"Too many requests: {verdict.limit} a {per} are allowed for each {whom}. "
                f"Try again in {verdict.wait_s} s.",
                metadata={"limit": verdict.limit, "window": verdict.window},
                headers={"Retry-After": str(verdict.wait_s)},
            )

    async def send(
        self, request: Request, question: Hashable, make: Callable[[], Payload], *, files: bool = True
    ) -> Response:
        """Answer with what ``make`` makes of a question; made in a thread, and only when nobody has it yet.

        ``question`` stands for all that ``make`` depends on beside the state of the data. Without ``files`` the answer
        is no table, and comes as JSON.
        """
        form = requested_format(request, Format if files else (Format.JSON,))
        stamp, question = self._services.analytics.stamp, (question, form)
        rendered = self._kept.peek(stamp, question)
        if rendered is None:
            rendered = await self._workers.run(partial(self._kept.get, stamp, question, lambda: render(make(), form)))
        headers = {"ETag": rendered.etag, **_ALWAYS, **getattr(request.state, "headers", {})}
        if none_match(request.headers.getlist("if-none-match"), rendered.etag):
            return Response(status_code=304, headers=headers)
        return Response(rendered.body, headers=headers | rendered.headers)


def _rate_limit_headers(verdict: Verdict) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(verdict.limit),
        "X-RateLimit-Remaining": str(verdict.remaining),
        "X-RateLimit-Reset": str(verdict.reset_s),
    }
