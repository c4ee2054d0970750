"""One request for inference, from its upstream to the last byte of the answer.

    send ─▶ head ─▶ chunk ─▶ meter ─┬▶ client, as it arrived
                                    └▶ at the end: record (durable) ─▶ the last bytes

The piece that completes the answer (the last body byte, or a stream's terminal event) is sent only after the usage is
on disk. One request makes one event, whatever happens on the way. A terminal event is held back for a moment, because
usage in what follows it counts too (decision 0017).
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, final

from tokenboard.event import UsageEvent
from tokenboard.gateway.call import Call
from tokenboard.gateway.client import LONGEST_PIECE, ClientStalled
from tokenboard.gateway.endpoints import Endpoint, last_event
from tokenboard.gateway.headers import AnswerHeaders, AnswerHeadersReader
from tokenboard.gateway.unread import UnreadReport
from tokenboard.gateway.upstream import (
    ConnectFailed,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    PoolExhausted,
    UpstreamError,
)
from tokenboard.gateway.upstreams import Answer
from tokenboard.inline_task import InlineTask, current_inline_task
from tokenboard.observability import logger
from tokenboard.problem import Problem
from tokenboard.spool import SpoolError
from tokenboard.usage import Meter, Usage, UsageSource, read_whole

CLIENT_GONE = 499
"""Status recorded when the client disconnected before anything was sent (499, as in nginx)."""

RETRY_AFTER_S = 5
"""Retry-After while a store is full or unavailable, in seconds."""

REST_WAIT_S: Final = 0.05
"""How long a terminal event is held back for what follows it, in seconds: mostly the end, which comes at once."""

USAGE_WAIT_S: Final = 0.5
"""The same while nothing has reported usage: what follows may."""

LONGEST_HELD: Final = 65_536
"""Bytes held back at most, together with a terminal event."""

# What the terminal events of streams contain; a match elsewhere, or none at all, costs a short wait and nothing else.
_TERMINAL: Final = re.compile(
    rb"\[DONE\]|message_stop|response\.(?:completed|incomplete|failed|cancelled)|(?:text|audio)\.done"
)

_log = logger("gateway")
_LINE_ENDS: Final = (b"\n", b"\r")
_NOTHING: Final = Usage(source=UsageSource.UNKNOWN)


class Recorder(Protocol):
    """Where a relay records its event: the intake, unless nothing is to be recorded."""

    async def record(self, event: UsageEvent, /) -> object:
        """Return once the use is on disk; raises SpoolError when it cannot be."""


class NotRecorded:
    """For calls that use no model."""

    async def record(self, event: UsageEvent, /) -> None:
        """Record nothing."""


class _WaitedEnough(Exception):
    """Nothing arrived while a terminal event was held back."""


@final
class Terms:
    """What all relays of one kind share.

    ``drain_s`` is for how many seconds the upstream is still read after the client has disconnected; None cancels it at
    once (usage: rule 4). ``unread`` is given what could not be read; None where usage is not metered. ``clock_ms``
    returns UTC epoch milliseconds.
    """

    __slots__ = ("clock_ms", "drain_s", "headers", "recorder", "unread")

    def __init__(
        self,
        recorder: Recorder,
        unread: UnreadReport | None,
        headers: AnswerHeadersReader,
        *,
        drain_s: float | None,
        clock_ms: Callable[[], int],
    ) -> None:
        self.recorder = recorder
        self.unread = unread
        self.headers = headers
        self.drain_s = drain_s
        self.clock_ms = clock_ms


@final
class Relay:
    """Awaits the answer to one request, streams it to the client and records the usage, once; run as an inline task.

    ``endpoint`` is the call's, and determines the error event that ends an interrupted stream.
    """

    __slots__ = (
        "_began",
        "_call",
        "_client",
        "_committing",
        "_drain_end",
        "_drain_s",
        "_endpoint",
        "_ends_line",
        "_first_s",
        "_held",
        "_recorded",
        "_task",
        "_terms",
    )

    def __init__(self, call: Call, endpoint: Endpoint, terms: Terms) -> None:
        self._call = call
        self._client = call.client
        self._endpoint = endpoint
        self._terms = terms
        self._drain_s = terms.drain_s
        self._drain_end: asyncio.TimerHandle | None = None
        self._began = time.monotonic()
        self._first_s = 0.0  # 0 until the first byte of the body has come
        self._held = b""  # received, and not yet sent
        self._ends_line = True  # what the client has been sent so far
        self._recorded = False
        self._committing = False
        self._task: InlineTask | None = None

    async def run(self, asked: Awaitable[Answer]) -> None:
        """Await the upstream's answer and stream it to the client, whose connection is watched meanwhile.

        An answer that breaks off after something was sent is ended with an error event if it is an event stream at the
        end of a line, and cut off otherwise.

        Raises:
            Problem: the client was sent nothing, and gets this error instead.
            ClientStalled: the client stopped reading; its usage is recorded.
            SpoolError: the usage could not be recorded; the answer must not be completed.

        """
        self._task = current_inline_task()
        client = self._client
        client.watch(self._leave)
        try:
            answer: Answer | None = None
            fault: BaseException | None = None
            try:
                answer = await asked
            except Problem:
                raise  # the request itself was at fault: no use of a model
            except BaseException as error:
                fault = error  # awaits come after the handler: mypyc mixes up exceptions otherwise
            if answer is not None:
                await self._carry(answer)
            elif fault is not None:
                await self._end_unanswered(fault)
        except asyncio.CancelledError as cancelled:
            if not client.left:
                raise cancelled
        finally:
            client.unwatch()
            if self._drain_end is not None:
                self._drain_end.cancel()

    def _leave(self) -> None:
        """Stop now, or after `drain_s`, because the client has disconnected."""
        if self._drain_s is None:
            self._stop()
        elif self._drain_end is None:
            self._drain_end = asyncio.get_running_loop().call_later(self._drain_s, self._stop)

    def _stop(self) -> None:
        # A commit under way is not cancelled: it is short, and its outcome matters.
        if self._task is not None and not self._committing:
            self._task.cancel()

    async def _carry(self, answer: Answer) -> None:
        headers = self._terms.headers.read(answer.headers, answer.status)
        meter: Meter | None = None
        fault: BaseException | None = None
        try:
            try:
                arrived = answer.arrived()
                chunk = await answer.read_chunk() if arrived is None else arrived
                whole = answer.ended_hint and 200 <= answer.status < 300 and not headers.coding
                told = read_whole(chunk, headers.kind) if whole else None
                # No return in here: compiled by mypyc, the `finally` block would read the meter as if it were set.
                if told is not None:
                    await self._send_whole(answer, headers, chunk, told[0], tool_calls=told[1])
                else:
                    meter = Meter(headers.kind, headers.coding, answer.status)
                    await self._pass_on(answer, headers, meter, chunk)
            except BaseException as error:
                fault = error
            if fault is not None:
                if meter is None:
                    meter = Meter(headers.kind, headers.coding, answer.status)
                await self._end(answer, headers, meter, fault)
        finally:
            answer.cancel()
            unread = self._terms.unread
            if meter is not None and meter.unread and unread is not None:
                unread.tell(meter, self._call.provider, self._call.id)

    async def _end_unanswered(self, fault: BaseException) -> None:
        """Record a request that got no answer, and raise the error for its client."""
        if isinstance(fault, UpstreamError):
            problem = self._problem("an upstream gave no answer", fault)
            await self._record(problem.status, _NOTHING, failed=True)
            raise problem from fault
        stopped = isinstance(fault, asyncio.CancelledError)
        await self._record(self._unanswered() if stopped else 500, _NOTHING, failed=True)
        raise fault

    async def _end(self, answer: Answer, headers: AnswerHeaders, meter: Meter, fault: BaseException) -> None:
        """End an answer that could not be completed, and record it; raise whatever is not the upstream's fault."""
        if isinstance(fault, UpstreamError):
            await self._end_broken(answer, headers, meter, fault)
            return
        answer.cancel()
        client = self._client
        if isinstance(fault, SpoolError):
            if client.started and not client.left and self._takes_event(meter, headers):
                # With an error event, and still cut: no client may mistake it for complete.
                ending = last_event(self._endpoint, unrecorded_problem(), self._call.id, self._call.model)
                await client.send_body(b"\n" + ending, last=False)
        else:
            await self._record_rest(answer.status, meter, broken=False)
            if isinstance(fault, asyncio.CancelledError) and not client.left and client.started:
                await self._let_go(answer, headers, last=False)
        raise fault

    async def _send_whole(
        self, answer: Answer, headers: AnswerHeaders, body: bytes, usage: Usage, *, tool_calls: bool
    ) -> None:
        """Record an answer that has arrived completely, then send it: in one piece, unless it is large."""
        await self._record(answer.status, usage, failed=False, tool_calls=tool_calls, first=True)
        client = self._client
        if client.left:
            return
        client.send_head(answer.status, [*headers.fields, *self._call.own])
        if len(body) <= LONGEST_PIECE:
            client.send_last(body)
        else:
            await client.send_body(body, last=True)

    async def _end_broken(self, answer: Answer, headers: AnswerHeaders, meter: Meter, error: UpstreamError) -> None:
        """Record an answer that broke off, and end it as well as can be."""
        client = self._client
        problem = self._problem("an upstream's answer broke off", error)
        if not client.started and not meter.ended:
            await self._record(problem.status, _NOTHING, failed=True)
            raise problem from error
        await self._record_rest(answer.status, meter, broken=True)
        if client.left:
            return
        # Once the terminal event is sent, nothing that matters is missing.
        await self._let_go(answer, headers, last=meter.ended and not headers.sized)
        if not meter.ended and self._takes_event(meter, headers):
            ending = last_event(self._endpoint, problem, self._call.id, self._call.model)
            await client.send_body(b"\n" + ending, last=True)

    def _takes_event(self, meter: Meter, headers: AnswerHeaders) -> bool:
        """Whether what was sent so far is an event stream at the end of a line, so that another event can follow."""
        return meter.streams and not headers.sized and self._ends_line

    async def _pass_on(self, answer: Answer, headers: AnswerHeaders, meter: Meter, first: bytes) -> None:
        """Pass the answer on as it arrives, holding back one byte of a document, as any byte may be the last."""
        client = self._client
        wait_until: float | None = None
        chunk: bytes | None = first
        read = True
        while True:
            if not read:
                chunk = await (answer.read_chunk() if wait_until is None else self._read_until(answer, wait_until))
            read = False
            last = chunk == b"" or answer.ended_hint
            if chunk:
                if not self._first_s:
                    self._first_s = time.monotonic()
                meter.feed(chunk)
            if not self._recorded:
                if meter.ended and not last and chunk is not None and len(self._held) < LONGEST_HELD:
                    if wait_until is None:
                        wait_s = REST_WAIT_S if meter.reported else USAGE_WAIT_S
                        wait_until = asyncio.get_running_loop().time() + wait_s
                        begin = _begin_of_ending(chunk) if meter.streams else 0
                        if begin and not client.left:
                            await self._send_on(answer, headers, chunk[:begin], last=False)
                            chunk = chunk[begin:]
                    self._held += chunk
                    continue
                if last or meter.ended:
                    wait_until = None
                    usage = meter.finish(complete=True)
                    await self._record(answer.status, usage, failed=meter.failed, tool_calls=_tool_calls(meter))
            if client.left:
                if last or self._recorded or self._drain_s is None:
                    return
                continue
            piece = chunk or b""
            if self._held:
                piece, self._held = self._held + piece, b""
            if not last and not self._recorded and meter.holds:
                piece, self._held = piece[:-1], piece[-1:]
                if not piece:
                    continue
            if last or not client.started or len(piece) > LONGEST_PIECE:
                await self._send_on(answer, headers, piece, last=last)
                if last:
                    return
                continue
            self._ends_line = piece.endswith(_LINE_ENDS)
            if client.send_piece(piece):
                await self._until_taken()

    async def _read_until(self, answer: Answer, until: float) -> bytes | None:
        """Read the next piece; None when none has arrived by ``until``, in the loop's time."""
        task = self._task
        if task is None:
            return None
        timer = asyncio.get_running_loop().call_at(until, task.cancel, _WaitedEnough())
        try:
            return await answer.read_chunk()
        except _WaitedEnough:
            return None
        finally:
            timer.cancel()

    async def _until_taken(self) -> None:
        try:
            await self._client.until_taken()
        except ClientStalled as error:
            if self._drain_s is None or self._recorded:
                raise error
            self._leave()

    async def _send_on(self, answer: Answer, headers: AnswerHeaders, piece: bytes, *, last: bool) -> None:
        """Send a piece; a client that stopped reading counts as gone: no error while the upstream is drained."""
        try:
            await self._send(answer, headers, piece, last=last)
        except ClientStalled as error:
            if self._drain_s is None or self._recorded:
                raise error
            self._leave()

    async def _send(self, answer: Answer, headers: AnswerHeaders, piece: bytes, *, last: bool) -> None:
        # The head waits for the first piece: until then an error can still be answered with its own status.
        if not self._client.started:
            self._client.send_head(answer.status, [*headers.fields, *self._call.own])
        await self._client.send_body(piece, last=last)
        self._ends_line = piece.endswith(_LINE_ENDS)

    async def _let_go(self, answer: Answer, headers: AnswerHeaders, *, last: bool) -> None:
        """Send what is held back: however an answer ends, the client gets all that was received."""
        held, self._held = self._held, b""
        if held or last:
            await self._send(answer, headers, held, last=last)

    async def _record_rest(self, status: int, meter: Meter, *, broken: bool) -> None:
        """Record an incomplete answer, unless it has been recorded."""
        if self._recorded:
            return
        usage = meter.finish(complete=False)
        nothing = usage.source is UsageSource.UNKNOWN and not meter.unread
        if nothing and not self._client.started:
            await self._record(self._unanswered(), _NOTHING, failed=True)
        else:
            failed = meter.failed or (broken and nothing)
            await self._record(status, usage, failed=failed, tool_calls=_tool_calls(meter))

    async def _record(
        self, status: int, usage: Usage, *, failed: bool, tool_calls: bool | None = None, first: bool = False
    ) -> None:
        """Record the use, once; ``first``: its first byte has just arrived."""
        if self._recorded:
            return
        # Set before the wait: once queued it will be written, even if this task is cancelled meanwhile.
        self._recorded = self._committing = True
        now, began = time.monotonic(), self._began
        first_s = now if first else self._first_s
        terms = self._terms
        event = self._call.event(
            terms.clock_ms(),
            status,
            usage,
            failed=failed,
            latency_ms=round((now - began) * 1000),
            first_token_ms=round((first_s - began) * 1000) if first_s else None,
            tool_calls=tool_calls,
        )
        try:
            await terms.recorder.record(event)
        finally:
            self._committing = False

    def _unanswered(self) -> int:
        """Return the status of a request that was cancelled before anything was sent: by its client, or by us."""
        return CLIENT_GONE if self._client.left else 503

    def _problem(self, what: str, error: UpstreamError) -> Problem:
        provider = self._call.provider
        _log.warning(
            what, extra={"request_id": self._call.id, "upstream": provider, "reason": str(error), "hint": error.hint}
        )
        return upstream_problem(error, provider)


def unrecorded_problem() -> Problem:
    """Return the error for an answer that is withheld, or not completed, as its usage could not be recorded."""
    return Problem(
        503,
        "A store behind the board does not answer at the moment, so no answer can be given; try again later.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def upstream_problem(error: UpstreamError, provider: str) -> Problem:
    """Return the client's error for an upstream's fault; the upstream's address appears only in the log.

    503 when our own connections to it are all in use, 504 for a timeout, 502 for anything else.
    """
    if isinstance(error, PoolExhausted):
        message = f"Too many requests wait for the upstream {provider}; try again later."
        return Problem(503, message, headers={"Retry-After": str(RETRY_AFTER_S)})
    if isinstance(error, ConnectTimeout | FirstByteTimeout):
        status, what = 504, "did not answer in time"
    elif isinstance(error, IdleTimeout):
        status, what = 504, "fell silent in the middle of its answer"
    elif isinstance(error, ConnectFailed):
        status, what = 502, "cannot be reached"
    elif error.before_response:
        status, what = 502, "closed the connection without an answer"
    else:
        status, what = 502, "broke off, or spoiled, its answer"
    return Problem(status, f"The upstream {provider} {what}; try again. The server's log tells its operator more.")


def _tool_calls(meter: Meter) -> bool | None:
    """Return whether the answer calls a tool, as far as it was read; None when some of it could not be read."""
    hidden = any(reason.hides for reason in meter.unread)
    return meter.tool_calls or (None if hidden else False)


def _begin_of_ending(piece: bytes) -> int:
    """Return the earliest offset at which a stream's terminal event may begin in this piece; 0 if not found."""
    found = _TERMINAL.search(piece)
    if found is None:
        return 0
    at = max(piece.rfind(blank, 0, found.start()) + len(blank) for blank in (b"\n\n", b"\r\n\r\n"))
    return at if at > 4 else 0
