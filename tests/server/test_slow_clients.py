"""Clients that send or read slowly, or nothing, cost themselves a connection and nobody else anything."""

import asyncio
import resource
import time
from typing import Any

from tests.server.rig import HOST, Log, error_of, run, serving, statuses, until, whole_body
from tokenboard.server import Limits

GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n"
SLOW = 2_000


def test_a_head_that_does_not_come_to_its_end_is_refused_in_time() -> None:
    async def main() -> None:
        async with serving(Log(), Limits(header_timeout_s=0.1)) as there:
            assert 408 == error_of(await there.ask(GET + b"X: "))["code"]
            assert b"" == await there.ask(b"")  # one that says nothing is told nothing
            caller = await there.call(GET + b"\r\n")
            assert b"/" == await caller.answer()
            await caller.say(b"G")
            assert 408 == error_of(await caller.to_the_end())["code"]

    run(main)


def test_a_head_that_trickles_gains_no_time() -> None:
    async def main() -> None:
        async with serving(Log(), Limits(header_timeout_s=0.2)) as there:
            caller = await there.call(GET)
            trickling = asyncio.create_task(trickle(caller))
            answer = await caller.to_the_end()
            trickling.cancel()
            assert 408 == error_of(answer)["code"]

    async def trickle(caller: Any) -> None:
        while True:
            caller.writer.write(b"X: y\r\n")
            await asyncio.sleep(0.01)

    run(main)


def test_a_body_that_does_not_come_is_refused_in_time_and_the_application_told() -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            told.append(message["type"])
        told.append("http.disconnect")

    async def main() -> None:
        async with serving(app, Limits(body_timeout_s=0.1)) as there:
            assert 408 == error_of(await there.ask(POST + b"a" * 10))["code"]
            await until(lambda: not there.server.running)

    run(main)
    assert ["http.request", "http.disconnect"] == told


def test_a_body_that_an_application_is_slow_to_take_is_not_the_clients_fault() -> None:
    size = 2_000_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.3)
        body = await whole_body(receive)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"%d" % len(body)})

    async def main() -> None:
        async with serving(app, Limits(body_timeout_s=0.1)) as there:
            head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size
            caller = await there.call(head, bytes(size))
            assert b"%d" % size == await caller.answer()

    run(main)


def test_an_idle_connection_is_closed_in_time() -> None:
    async def main() -> None:
        async with serving(Log(), Limits(keep_alive_s=0.1)) as there:
            answer = await there.ask(GET + b"\r\n")
            assert ([200], False) == (statuses(answer), b"connection: close" in answer)

    run(main)


def test_a_client_that_reads_nothing_is_cut_off_in_time() -> None:
    ended: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        while (await asyncio.wait_for(poll(receive), 10)) is None:
            await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
        ended.append(True)

    async def poll(receive: Any) -> str | None:
        message = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        if message.done() and message.result()["type"] == "http.disconnect":
            return "gone"
        message.cancel()
        return None

    async def main() -> None:
        async with serving(app, Limits(write_timeout_s=0.1)) as there:
            caller = await there.call(GET + b"\r\n")
            caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: bool(there.server.running))
            await until(lambda: not there.server.connections)
            await until(lambda: not there.server.running)

    run(main)
    assert [True] == ended


def test_the_very_piece_that_a_client_does_not_take_holds_its_answer_up() -> None:
    found: list[bool] = []

    class Filling:
        def owns(self, path: str) -> bool:
            return True

        async def answer(self, line: Any, /) -> None:
            line.begin(200, ())
            found.append(line.write(bytes(20_000_000), last=False))
            await line.writable()
            found.append(line.write(b"", last=True))

    async def main() -> None:
        async with serving(Log(), direct=Filling()) as there:
            caller = await there.call(GET + b"Connection: close\r\n\r\n")
            assert (await caller.to_the_end()).endswith(b"0\r\n\r\n")

    run(main)
    assert [True, False] == found


def test_an_answer_that_closes_waits_for_what_the_client_still_sends_only_so_long() -> None:
    async def main() -> None:
        async with serving(Log(), Limits(linger_s=0.1)) as there:
            caller = await there.call(b"NONSENSE\r\n\r\n")
            assert 400 == error_of(await caller.to_the_end())["code"]
            await until(lambda: not there.server.connections)  # the client has not closed

    run(main)


def test_two_thousand_slow_clients_hold_up_nobody_and_are_closed_in_time() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * SLOW)), hard))
    limits = Limits(header_timeout_s=1.0, body_timeout_s=1.0, linger_s=0.5)
    answered: list[float] = []

    async def main() -> None:
        async with serving(Log(), limits) as there:
            before = resident_kib()
            for _ in range(SLOW // 100):
                await asyncio.gather(*(there.call(GET + b"X: ") for _ in range(50)))
                await asyncio.gather(*(there.call(POST + b"a") for _ in range(50)))
            grown = resident_kib() - before
            good = await there.call()
            for _ in range(200):
                began = time.monotonic()
                await good.say(GET + b"\r\n")
                assert b"/" == await good.answer()
                answered.append(time.monotonic() - began)
            await until(lambda: len(there.server.connections) <= 1, within_s=20)
            await good.say(GET + b"\r\n")
            assert b"/" == await good.answer()
            # Both ends live in this process: some 20 KiB each.
            assert grown < SLOW * 60

    run(main)
    assert sorted(answered)[100] < 0.1


def resident_kib() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
