"""Which upstream is asked when another one fails, and what the client and the ledger hear of it."""

import asyncio
import contextlib
import json
import logging
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import REPORTED, Reply, Rig, Stores, connections_to, gateway, outcome, run
from tests.gateway.stage import ANSWER, CHAT, DONE, FIRST, JSON_HEAD, STREAM, STREAM_HEAD, USED, Handler, chunk, http
from tests.gateway.test_upstream_fault_matrix import deaf_port
from tests.gateway.upstream_server import Heard, Peer, until, upstream
from tokenboard.gateway import Timeouts, UpstreamSpec
from tokenboard.gateway.upstream import Availability, Breaker
from tokenboard.gateway.upstream.breaker import FAILURES, OPEN_S

BRISK = Timeouts(connect_s=0.2, first_byte_s=0.3, idle_s=0.3, acquire_s=0.2)
ERROR = b'{"error": {"message": "their own"}}'
NOWHERE = "http://127.0.0.1:1"


class Saying:
    """Answers every request with these bytes, and closes then if they are no whole answer."""

    def __init__(self, answer: bytes, *, closes: bool = False, stalls: bool = False) -> None:
        self.answer = answer
        self.closes = closes
        self.stalls = stalls
        self.heard: list[Heard] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.heard.append(await peer.hear())
            await peer.say(self.answer)
            if self.stalls:
                await peer.hear_the_end()
            if self.closes or self.stalls:
                return


@contextlib.asynccontextmanager
async def two(
    stores: Stores, folder: Path, first: Handler | str, second: Handler | str, **more: Any
) -> AsyncIterator[Rig]:
    """Run a gateway with two upstreams, a and b, for the same models; a text is the address of one not ours."""
    async with contextlib.AsyncExitStack() as stack:
        specs = []
        for name, handler in (("a", first), ("b", second)):
            url = handler if isinstance(handler, str) else (await stack.enter_async_context(upstream(handler))).origin
            given = {"models": ("up/*",), "strip_prefix": True, "timeouts": BRISK} | more.get("spec", {})
            specs.append(UpstreamSpec(name, f"{url}/v1", **given))
        kept = {name: value for name, value in more.items() if name != "spec"}
        yield await stack.enter_async_context(gateway(stores, folder, specs, **kept))


def heard(*sayings: Saying) -> list[int]:
    return [len(saying.heard) for saying in sayings]


@pytest.mark.parametrize("body", [CHAT, STREAM])
@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (http(ERROR, status=500), "500"),
        (http(ERROR, status=503), "500"),
        (http(ERROR, status=429), "429"),
        (http(ERROR, status=529, length=4_000_000), "500"),
    ],
)
def test_a_refusal_is_asked_again_of_the_next_upstream(
    stores: Stores, tmp_path: Path, refusal: bytes, reason: str, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        a, b = Saying(refusal), Saying(http(ANSWER))
        async with two(stores, tmp_path, a, b) as rig:
            reply = await rig.ask(body)
            assert (200, ANSWER) == (reply.status, reply.body)
            assert [1, 1] == heard(a, b)
            assert a.heard[0].body == b.heard[0].body
            recorded = await rig.event()
            assert (REPORTED, "b") == (outcome(recorded), recorded.provider)
            failed = {name: count for name, count in rig.counters.read().items() if name.startswith("upstream_")}
            assert {f"upstream_failed.a.{reason}": 1} == failed
        (record,) = caplog.records
        assert "an upstream failed, the next one is asked" == record.message
        assert ("a", "b", recorded.id) == tuple(vars(record)[name] for name in ("upstream", "next", "request_id"))

    with caplog.at_level(logging.INFO, "tokenboard"):
        run(main)


def test_an_upstream_that_refuses_connections_is_passed_over(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        b = Saying(http(ANSWER))
        async with two(stores, tmp_path, NOWHERE, b) as rig:
            for _ in range(FAILURES + 2):
                assert ANSWER == (await rig.ask(CHAT)).body
            assert ["b"] * (FAILURES + 2) == [event.provider for event in rig.events()]
            counts = rig.counters.read()
            assert (FAILURES, 2) == (counts["upstream_failed.a.connect"], counts["upstream_skipped.a"])

    run(main)


def test_an_upstream_that_accepts_nothing_costs_few_requests_its_timeout(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        b = Saying(http(ANSWER))
        with deaf_port() as port:
            async with two(stores, tmp_path, f"http://127.0.0.1:{port}", b) as rig:
                loop = asyncio.get_running_loop()
                for _ in range(FAILURES):
                    assert ANSWER == (await rig.ask(CHAT)).body
                began = loop.time()
                for _ in range(5):
                    assert ANSWER == (await rig.ask(CHAT)).body
                assert loop.time() - began < BRISK.connect_s
                counts = rig.counters.read()
                assert (FAILURES, 5) == (counts["upstream_failed.a.connect_timeout"], counts["upstream_skipped.a"])

    run(main)


def test_a_full_upstream_is_relieved_by_the_next(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        a, b = Saying(JSON_HEAD, stalls=True), Saying(http(ANSWER))
        patient = Timeouts(connect_s=5.0, first_byte_s=5.0, idle_s=5.0, acquire_s=0.1)
        async with two(stores, tmp_path, a, b, spec={"max_connections": 1, "timeouts": patient}) as rig:
            waiting = await rig.call(rig.request(CHAT))
            await until(lambda: heard(a) == [1])
            assert ANSWER == (await rig.ask(CHAT)).body
            assert 1 == rig.counters.read()["upstream_failed.a.exhausted"]
            waiting.leave()
            await until(lambda: len(rig.events()) == 2)

    run(main)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422])
def test_a_word_on_the_request_itself_is_final(stores: Stores, tmp_path: Path, status: int) -> None:
    async def main() -> None:
        a, b = Saying(http(ERROR, status=status)), Saying(http(ANSWER))
        async with two(stores, tmp_path, a, b) as rig:
            reply = await rig.ask(CHAT)
            assert (status, ERROR) == (reply.status, reply.body)
            assert [1, 0] == heard(a, b)
            assert "a" == (await rig.event()).provider

    run(main)


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (Saying(b"", closes=True), 502),
        (Saying(b"HTTP/1.1 200", closes=True), 502),
        (Saying(b"", stalls=True), 504),
        (Saying(JSON_HEAD, closes=True), 502),
        (Saying(b"nonsense\r\n\r\n"), 502),
    ],
)
def test_what_may_have_been_worked_on_is_not_asked_again(
    stores: Stores, tmp_path: Path, first: Saying, status: int
) -> None:
    async def main() -> None:
        b = Saying(http(ANSWER))
        async with two(stores, tmp_path, first, b) as rig:
            assert status == (await rig.ask(CHAT)).error()["code"]
            assert [] == b.heard
            recorded = await rig.event()
            assert ((status, True, "unknown", None, None), "a") == (outcome(recorded), recorded.provider)

    run(main)


def test_nothing_is_asked_again_once_a_byte_has_left(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        a, b = Saying(STREAM_HEAD + chunk(FIRST), closes=True), Saying(http(ANSWER))
        async with two(stores, tmp_path, a, b) as rig:
            reply = await rig.ask(STREAM)
            assert reply.body.startswith(FIRST)
            assert b'"code":502' in reply.body
            assert [] == b.heard
            assert "a" == (await rig.event()).provider

    run(main)


def test_the_last_refusal_is_passed_on_as_it_is(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        a, b = Saying(http(ERROR, status=500)), Saying(http(b"theirs", status=503, headers=["Retry-After: 9"]))
        async with two(stores, tmp_path, a, b) as rig:
            reply = await rig.ask(CHAT)
            assert (503, b"theirs", "9") == (reply.status, reply.body, reply.header("retry-after"))
            recorded = await rig.event()
            assert ((503, True, "unknown", None, None), "b") == (outcome(recorded), recorded.provider)

    run(main)


@pytest.mark.parametrize("second", [NOWHERE, Saying(b"", closes=True), Saying(b"", stalls=True)])
def test_a_refusal_is_better_than_no_answer_at_all(stores: Stores, tmp_path: Path, second: Handler | str) -> None:
    async def main() -> None:
        a = Saying(http(ERROR, status=429, headers=["Retry-After: 9"]))
        async with two(stores, tmp_path, a, second) as rig:
            reply = await rig.ask(CHAT)
            assert (429, ERROR, "9") == (reply.status, reply.body, reply.header("retry-after"))
            recorded = await rig.event()
            assert ((429, True, "unknown", None, None), "a") == (outcome(recorded), recorded.provider)

    run(main)


def test_nobody_there_is_one_failed_event_of_the_one_asked_last(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with two(stores, tmp_path, NOWHERE, NOWHERE) as rig:
            for _ in range(FAILURES + 1):  # those known to be away are asked all the same: a refusal costs nothing
                reply = await rig.ask(CHAT)
                assert "The upstream b cannot be reached" in reply.error()["message"]
                assert 502 == reply.status
            assert [((502, True, "unknown", None, None), "b")] * (FAILURES + 1) == [
                (outcome(event), event.provider) for event in rig.events()
            ]

    run(main)


def test_an_upstream_that_comes_back_is_used_again(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        a, b = Saying(http(ANSWER)), Saying(http(ANSWER))
        async with two(stores, tmp_path, a, b) as rig:
            now = 0.0
            breaker = rig.upstreams[0]._breaker = rig.upstreams[0]._pool._breaker = Breaker(lambda: now)
            for _ in range(FAILURES):
                breaker.failed(in_time=False)
            await rig.ask(CHAT)
            assert [0, 1] == heard(a, b)
            now = OPEN_S
            await rig.ask(CHAT)
            await rig.ask(CHAT)
            assert [2, 1] == heard(a, b)
            assert Availability.READY is breaker.availability()

    run(main)


@contextlib.asynccontextmanager
async def open_door(port: int, handler: Handler) -> AsyncIterator[None]:
    """Take connections at this port within the block; those that were made live on behind it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await handler(Peer(reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    yield
    server.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_an_answer_over_a_kept_connection_brings_an_upstream_back(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        port, answer_now = free_port(), asyncio.Event()
        answer_now.set()
        asked_a: list[Heard] = []

        async def a(peer: Peer) -> None:
            while True:
                asked_a.append(await peer.hear())
                await answer_now.wait()
                await peer.say(http(ANSWER))

        b = Saying(http(ANSWER))
        patient = Timeouts(connect_s=5.0, first_byte_s=10.0, idle_s=10.0)
        async with two(stores, tmp_path, f"http://127.0.0.1:{port}", b, spec={"timeouts": patient}) as rig:
            async with open_door(port, a):
                await rig.ask(CHAT)  # makes the one connection there will be
            answer_now.clear()
            slow = await rig.call(rig.request(CHAT))
            await until(lambda: len(asked_a) == 2)
            for _ in range(FAILURES + 2):
                await rig.ask(CHAT)
            counts = rig.counters.read()
            assert (FAILURES, 2) == (counts["upstream_failed.a.connect"], counts["upstream_skipped.a"])
            answer_now.set()
            assert ANSWER == (await slow.reply()).body
            for _ in range(3):
                await rig.ask(CHAT)
            assert (5, FAILURES + 2) == (len(asked_a), len(b.heard))
            assert 2 == rig.counters.read()["upstream_skipped.a"]
            assert ["a"] * 3 == [event.provider for event in rig.events()][-3:]

    run(main)


@pytest.mark.parametrize("kept", [False, True])
def test_a_request_that_was_sent_is_not_put_to_the_next_when_its_upstream_takes_no_more_connections(
    stores: Stores, tmp_path: Path, kept: bool
) -> None:
    async def main() -> None:
        port = free_port()
        asked_a: list[Heard] = []

        async def a(peer: Peer) -> None:
            if kept:
                await peer.answer(http(ANSWER))
            asked_a.append(await peer.hear())
            door.close()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await a(Peer(reader, writer))
            writer.close()

        door = await asyncio.start_server(serve, "127.0.0.1", port)
        b = Saying(http(ANSWER))
        async with two(stores, tmp_path, f"http://127.0.0.1:{port}", b) as rig:
            if kept:
                await rig.ask(CHAT)
            reply = await rig.ask(CHAT)
            assert (502, 1, []) == (reply.status, len(asked_a), b.heard)
            assert 1 == rig.counters.read()["upstream_failed.a.answer"]

    run(main)


def test_without_failover_the_first_upstream_is_the_only_one(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        a, b = Saying(http(ERROR, status=500)), Saying(http(ANSWER))
        async with two(stores, tmp_path, a, b, failover=False) as rig:
            assert 500 == (await rig.ask(CHAT)).status
            assert [1, 0] == heard(a, b)

    run(main)


def test_the_default_upstream_comes_last_and_only_once(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream(Saying(http(ANSWER))) as there:
            specs = [
                UpstreamSpec("a", f"{there.origin}/v1", models=("other/*",)),
                UpstreamSpec("b", f"{there.origin}/v1", models=("up/*",)),
                UpstreamSpec("c", f"{there.origin}/v1", models=("up/small", "x")),
            ]
            async with gateway(stores, tmp_path, specs, default="a") as rig:
                candidates = rig.gateway._upstreams.candidates
                assert ["b", "c", "a"] == [found.name for found in candidates("up/small")]
                assert ["a"] == [found.name for found in candidates("other/x")]
                assert ["a"] == [found.name for found in candidates("nobody's")]
                assert ["tokenboard", "a"] == [found.name for found in candidates("tokenboard/echo")]

    run(main)


def test_a_client_that_leaves_while_a_second_upstream_is_asked_lets_go_of_both(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        a, b = Saying(http(ERROR, status=500, length=999_999), stalls=True), Saying(b"", stalls=True)
        async with two(
            stores, tmp_path, a, b, spec={"timeouts": Timeouts(connect_s=5, first_byte_s=9, idle_s=9)}
        ) as rig:
            caller = await rig.call(rig.request(CHAT))
            await until(lambda: heard(b) == [1])
            await asyncio.sleep(0.05)
            caller.leave()
            recorded = await rig.event()
            assert ((499, True, "unknown", None, None), "b") == (outcome(recorded), recorded.provider)
            await until(lambda: [0, 0] == [connections_to(there._spec) for there in rig.upstreams])

    run(main)


class Moody:
    """Answers each request with its own number, or fails in some way, as chance wants."""

    def __init__(self, chance: random.Random, name: str) -> None:
        self._chance = chance
        self._name = name

    async def __call__(self, peer: Peer) -> None:
        while True:
            said = await peer.hear()
            number = json.loads(said.body)["number"]
            mood = self._chance.randrange(12)
            await asyncio.sleep(self._chance.choice([0, 0, 0.001, 0.003]))
            text = b"%s says %d" % (self._name.encode(), number)
            if mood < 5:
                await peer.say(http(ANSWER.replace(b"one two", text)))
            elif mood < 7:
                await peer.say(STREAM_HEAD + chunk(b'data: {"text": "%s"}\n\n' % text))
                await asyncio.sleep(0.001)
                await peer.say(chunk(USED + DONE) + chunk(b""))
            elif mood == 7:
                await peer.say(http(b'{"error": "%s"}' % text, status=self._chance.choice([429, 500, 503])))
            elif mood == 8:
                await peer.say(http(b'{"error": "%s"}' % text, status=500, length=self._chance.choice([9, 500])))
                return
            elif mood == 9:
                await peer.say(STREAM_HEAD + chunk(b'data: {"text": "%s"}\n\n' % text))
                return
            elif mood == 10:
                await peer.say(JSON_HEAD[: self._chance.randrange(len(JSON_HEAD))])
                peer.reset()
                return
            else:
                await peer.hear_the_end()
                return


@pytest.mark.parametrize("seed", range(4))
def test_whatever_fails_nobody_gets_anothers_answer_and_each_request_is_one_event(
    stores: Stores, tmp_path: Path, seed: int
) -> None:
    async def main() -> None:
        chance = random.Random(seed)
        replies: dict[int, Reply] = {}
        timeouts = Timeouts(connect_s=5.0, first_byte_s=0.1, idle_s=0.1, acquire_s=0.05)
        moody = [Moody(chance, name) for name in "ab"]
        spec = {"max_connections": 3, "timeouts": timeouts}
        async with two(stores, tmp_path, moody[0], moody[1], spec=spec) as rig:

            async def worker(number: int) -> None:
                for turn in range(12):
                    mine = number * 100 + turn
                    caller = await rig.call(rig.request({**CHAT, "number": mine}))
                    patience = chance.choice([None, None, None, 0.002, 0.02])
                    with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
                        async with asyncio.timeout(patience):
                            replies[mine] = await caller.reply()
                    if mine not in replies:
                        caller.leave()

            await asyncio.gather(*(worker(number) for number in range(8)))
        events = {event.id: event for event in rig.events()}
        assert len(events) <= 96
        assert len({reply.header("x-generation-id") for reply in replies.values()}) == len(replies)
        for number, reply in replies.items():
            event = events[str(reply.header("x-generation-id"))]
            if b" says " in reply.body:
                assert b"%s says %d" % (event.provider.encode(), number) in reply.body
            if reply.status != 200:
                assert (reply.status, True) == (event.status, event.failed)
            elif reply.whole and b'"error"' not in reply.body:
                assert (False, "reported", 7, 3) == (
                    event.failed,
                    event.usage_source,
                    event.prompt_tokens,
                    event.completion_tokens,
                )

    run(main)
