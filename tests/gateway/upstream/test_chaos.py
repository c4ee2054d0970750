"""Whatever an upstream does and whoever gives up: no request ever gets another one's answer, and no slot is lost."""

import asyncio
import enum
from collections import Counter
from dataclasses import dataclass

import uvloop
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.gateway.upstream_server import Peer, pooled, until
from tokenboard.gateway.upstream import FirstByteTimeout, IdleTimeout, Limits, Pool, ResponseBroken, Timeouts

BRISK = Timeouts(connect_s=10.0, first_byte_s=0.12, idle_s=0.12, acquire_s=10.0)


class Mood(enum.Enum):
    LENGTH = "whole, by Content-Length"
    CHUNKED = "whole, chunked, with a trailer"
    FORERUNNERS = "whole, after 100 and 103"
    UNTIL_CLOSE = "whole, ended by the close"
    THEN_CLOSE = "whole, and closed unannounced"
    THEN_FORGERY = "whole, with a forged answer behind it"
    THEN_LATE_NOISE = "whole, with bytes that come a little later"
    TOO_SHORT = "Content-Length too short"
    TOO_LONG = "Content-Length too long, then closed"
    CLOSE_BEFORE = "closed before a byte"
    RESET_BEFORE = "reset before a byte"
    CLOSE_AMID = "closed in mid-answer"
    RESET_AMID = "reset in mid-answer"
    STALL_BEFORE = "silent before a byte"
    STALL_AMID = "silent in mid-answer"
    NOISE = "not HTTP"


WHOLE = {Mood.LENGTH, Mood.CHUNKED, Mood.FORERUNNERS, Mood.UNTIL_CLOSE, Mood.THEN_CLOSE, Mood.THEN_FORGERY}
STALLING = {Mood.STALL_BEFORE, Mood.STALL_AMID}


@dataclass(frozen=True)
class Act:
    mood: Mood
    repeat: int  # of the id in the body
    piece: int  # bytes written at once; 1 is a drip
    where: int  # per cent of the answer after which it is cut
    start_after: int  # turns of the loop
    give_up_after: int | None  # turns of the loop


acts = st.builds(
    Act,
    mood=st.sampled_from(Mood),
    repeat=st.integers(0, 40),
    piece=st.sampled_from([1, 3, 17, 10_000, 10_000, 10_000]),
    where=st.integers(1, 99),
    start_after=st.integers(0, 8),
    give_up_after=st.none() | st.none() | st.integers(0, 30),
)


def body_of(name: bytes, act: Act) -> bytes:
    return (b"<" + name + b">") * act.repeat


def script_of(name: bytes, act: Act) -> bytes:
    body = body_of(name, act)
    head = b"HTTP/1.1 200 OK\r\nX-Id: " + name + b"\r\n"
    if act.mood is Mood.NOISE:
        return b"\x00" + name + body
    if act.mood is Mood.UNTIL_CLOSE:
        return head + b"\r\n" + body
    if act.mood is Mood.CHUNKED:
        middle = len(body) // 2
        chunks = [b"%x;n=1\r\n%b\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part]
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\nX-Id: trailer\r\n\r\n"
    length = len(body)
    if act.mood is Mood.TOO_SHORT:
        length = length * act.where // 100
    elif act.mood is Mood.TOO_LONG:
        length += act.where
    whole = head + b"Content-Length: %d\r\n\r\n" % length + body
    if act.mood is Mood.FORERUNNERS:
        return b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Id: early\r\n\r\n" + whole
    if act.mood is Mood.THEN_FORGERY:
        return whole + b"HTTP/1.1 200 OK\r\nX-Id: forged\r\nContent-Length: 6\r\n\r\nforged"
    return whole


class Stage:
    """The upstream: plays for each request the act that its id names."""

    def __init__(self, play: list[Act]) -> None:
        self.play = play
        self.heard: Counter[bytes] = Counter()

    async def __call__(self, peer: Peer) -> None:
        while True:
            heard = await peer.hear()
            name = dict(heard.headers)[b"X-Id"]
            assert heard.body == b"?" + name
            self.heard[name] += 1
            if not await self.perform(peer, name, self.play[int(name)]):
                return

    async def perform(self, peer: Peer, name: bytes, act: Act) -> bool:
        mood = act.mood
        script = script_of(name, act)
        if mood in {Mood.CLOSE_BEFORE, Mood.RESET_BEFORE, Mood.STALL_BEFORE}:
            script = b""
        elif mood in {Mood.CLOSE_AMID, Mood.RESET_AMID, Mood.STALL_AMID}:
            script = script[: max(1, (len(script) - 1) * act.where // 100)]
        # What follows the end comes with it, or its arrival would be a matter of chance.
        piece = len(script) if mood in {Mood.THEN_FORGERY, Mood.TOO_SHORT} else act.piece
        for start in range(0, len(script), max(piece, 1)):
            await peer.say(script[start : start + piece])
            await asyncio.sleep(0)
        if mood in STALLING:
            await peer.hear_the_end()
        elif mood in {Mood.RESET_BEFORE, Mood.RESET_AMID}:
            peer.reset()
        elif mood is Mood.THEN_LATE_NOISE:
            await asyncio.sleep(0)
            await peer.say(b"noise")
        elif mood in WHOLE | {Mood.TOO_SHORT} and mood not in {Mood.UNTIL_CLOSE, Mood.THEN_CLOSE}:
            return True
        return False


async def ask(pool: Pool, number: int, act: Act) -> str:
    """Send one request, check whatever comes back, and name the outcome."""
    name = b"%d" % number
    body = body_of(name, act)
    for _ in range(act.start_after):
        await asyncio.sleep(0)
    got = b""
    try:
        response = await pool.send(b"POST", b"/", [(b"X-Id", name)], b"?" + name)
        async with response:
            assert [name] == [value for header, value in response.headers if header == b"X-Id"]
            while not response.ended_hint:
                got += await response.read_chunk()
            assert b"" == await response.read_chunk()
            assert response.complete
    except (FirstByteTimeout, IdleTimeout):
        assert body.startswith(got)
        return "late"
    except ResponseBroken:
        assert body.startswith(got)
        return "broken"
    if act.mood is Mood.TOO_SHORT:
        assert body[: len(body) * act.where // 100] == got
    else:
        assert body == got
    return "whole"


async def perform(play: list[Act], max_connections: int) -> list[str]:
    stage = Stage(play)
    limits = Limits(max_connections=max_connections, max_idle=2, idle_keepalive_s=30.0)
    async with pooled(stage, limits=limits, timeouts=BRISK) as (pool, there):

        async def guarded(number: int, act: Act) -> str:
            task = asyncio.create_task(ask(pool, number, act))
            if act.give_up_after is not None:
                for _ in range(act.start_after + act.give_up_after):
                    await asyncio.sleep(0)
                task.cancel()
            try:
                return await task
            except asyncio.CancelledError:
                return "cancelled"

        outcomes = await asyncio.gather(*(guarded(number, act) for number, act in enumerate(play)))
        await until(lambda: pool.slots_taken == pool.idle == there.open)
    assert all(times == 1 for times in stage.heard.values())  # nothing that has arrived is sent again
    return outcomes


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(play=st.lists(acts, min_size=1, max_size=14), max_connections=st.integers(1, 3))
def test_every_answer_belongs_to_its_request_and_every_fault_to_its_own(play: list[Act], max_connections: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcomes = runner.run(perform(play, max_connections))
    crossed = any(act.mood in {Mood.THEN_LATE_NOISE, Mood.THEN_CLOSE} for act in play)
    for act, outcome in zip(play, outcomes, strict=True):
        event(f"{act.mood.value}: {outcome}")
        expected = {"cancelled"} if act.give_up_after is not None else set()
        if act.mood in WHOLE | {Mood.TOO_SHORT, Mood.THEN_LATE_NOISE}:
            expected.add("whole")
        elif act.mood in STALLING:
            expected.add("late")
        else:
            expected.add("broken")
        if crossed:  # the noise, or the close, may meet the next request, which is then broken, never answered
            expected.add("broken")
        assert outcome in expected | ({"whole"} if act.give_up_after is not None else set())
