import asyncio
import contextlib
import gc
import select
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, cast

import pytest

from tests.gateway.upstream_server import HELLO, OK, PATIENT, Peer, pooled, run, until
from tokenboard.gateway.upstream import (
    ConnectFailed,
    Limits,
    Origin,
    Pool,
    PoolExhausted,
    Response,
    ResponseBroken,
    Timeouts,
)


async def get(pool: Pool) -> Response:
    return await pool.send(b"GET", b"/", [], b"")


async def get_all(pool: Pool) -> bytes:
    async with await get(pool) as response:
        parts = []
        while chunk := await response.read_chunk():
            parts.append(chunk)
        return b"".join(parts)


async def hello_forever(peer: Peer) -> None:
    while True:
        await peer.answer()


def limits(max_connections: int = 4, max_idle: int = 4, keepalive: float = 30.0, max_waiting: int = 16) -> Limits:
    return Limits(max_connections, max_idle, keepalive, max_waiting=max_waiting)


def test_a_connection_is_used_again_and_again() -> None:
    async def main() -> None:
        async with pooled(hello_forever) as (pool, there):
            for _ in range(50):
                assert b"hello" == await get_all(pool)
            assert (1, 1, 1) == (there.accepted, pool.idle, pool.slots_taken)

    run(main)


def test_a_request_arrives_as_given_with_its_body_whole() -> None:
    async def main() -> None:
        heard = []

        async def handler(peer: Peer) -> None:
            while True:
                heard.append(await peer.answer())

        async with pooled(handler) as (pool, there):
            headers = [(b"x-B", b"1"), (b"X-a", b"\xe9"), (b"x-B", b"2")]
            for size in (0, 5, 65_536, 65_537, 3_000_000):
                await pool.send(b"POST", b"/v1/chat?x=%20", headers, b"b" * size)
                await until(lambda: pool.idle == 1)
                assert b"POST /v1/chat?x=%20 HTTP/1.1" == heard[-1].line
                host = (b"Host", b"127.0.0.1:%d" % there.origin.port)
                assert [host, *headers, (b"Content-Length", b"%d" % size)] == heard[-1].headers
                assert size == len(heard[-1].body)
            assert 1 == there.accepted

    run(main)


def test_a_malformed_request_takes_no_connection() -> None:
    async def main() -> None:
        async with pooled(hello_forever) as (pool, there):
            with pytest.raises(ValueError, match="control character"):
                await pool.send(b"GET", b"/", [(b"X", b"a\r\nb")], b"")
            assert (0, 0) == (pool.slots_taken, there.accepted)

    run(main)


def test_requests_at_once_have_a_connection_each_up_to_the_limit_and_the_rest_wait_their_turn() -> None:
    async def main() -> None:
        at_once = most = 0

        async def handler(peer: Peer) -> None:
            nonlocal at_once, most
            while True:
                heard = await peer.hear()
                at_once += 1
                most = max(most, at_once)
                await asyncio.sleep(0.001)
                at_once -= 1
                await peer.say(OK + b"Content-Length: %d\r\n\r\n%b" % (len(heard.line), heard.line))

        async with pooled(handler, limits=limits(max_connections=3)) as (pool, there):
            order: list[int] = []

            async def one(number: int) -> None:
                response = await pool.send(b"GET", b"/%d" % number, [], b"")
                assert b"GET /%d HTTP/1.1" % number == await response.read_chunk()
                order.append(number)

            await asyncio.gather(*(one(number) for number in range(18)))
            assert (3, 3, 3) == (there.accepted, most, pool.idle)
            assert list(range(18)) == sorted(order)
            assert {0, 1, 2} == set(order[:3])

    run(main)


def test_waiting_for_a_connection_is_bounded_in_number_and_in_time() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.hear()
            await peer.hear_the_end()

        quick = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0, acquire_s=0.02)
        async with pooled(handler, limits=limits(1, max_waiting=1), timeouts=quick) as (pool, _):
            busy = asyncio.create_task(get(pool))
            await until(lambda: pool.slots_taken == 1)
            waiting = asyncio.create_task(get(pool))
            await asyncio.sleep(0)
            with pytest.raises(PoolExhausted, match="already wait") as full:
                await get(pool)
            with pytest.raises(PoolExhausted, match="became free") as late:
                await waiting
            assert [(False, True)] * 2 == [(error.value.sent, error.value.before_response) for error in (full, late)]
            assert 1 == pool.slots_taken
            busy.cancel()
            await asyncio.wait([busy])

    run(main)


def test_no_more_idle_connections_are_kept_than_allowed() -> None:
    async def main() -> None:
        async with pooled(hello_forever, limits=limits(max_connections=4, max_idle=2)) as (pool, there):
            await asyncio.gather(*(get_all(pool) for _ in range(4)))
            assert (2, 2) == (pool.idle, pool.slots_taken)
            await until(lambda: there.open == 2)

    run(main)


def test_idle_connections_expire() -> None:
    async def main() -> None:
        async with pooled(hello_forever, limits=limits(keepalive=0.02)) as (pool, there):
            await get_all(pool)
            await until(lambda: pool.slots_taken == 0 and there.open == 0)
            assert b"hello" == await get_all(pool)
            assert 2 == there.accepted

    run(main)


def test_an_upstream_that_says_it_keeps_connections_shortly_is_believed() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Keep-Alive: max=9, Timeout=1\r\nContent-Length: 0\r\n\r\n")
            await peer.hear_the_end()

        async with pooled(handler) as (pool, _):
            before = asyncio.get_running_loop().time()
            await get_all(pool)
            (connection,) = pool._idle
            assert 0.7 < connection.deadline - before < 0.95

    run(main)


def test_an_idle_connection_closed_by_the_upstream_is_noticed() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer()

        async with pooled(handler) as (pool, there):
            for _ in range(3):
                await get_all(pool)
                await until(lambda: pool.slots_taken == 0)
            assert 3 == there.accepted

    run(main)


def test_bytes_on_an_idle_connection_close_it() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.answer()
            await go.wait()
            await peer.say(OK + b"Content-Length: 6\r\n\r\nforged")
            await peer.hear_the_end()

        async with pooled(handler) as (pool, there):
            await get_all(pool)
            assert 1 == pool.idle
            go.set()
            await until(lambda: pool.slots_taken == 0 and there.open == 0)

    run(main)


@pytest.mark.parametrize("trace", [b"", OK + b"Content-Length: 6\r\n\r\nforged"])
def test_a_close_or_bytes_still_unread_in_the_socket_are_seen_before_the_connection_is_used(trace: bytes) -> None:
    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            listener.setblocking(False)
            loop = asyncio.get_running_loop()

            async def handler(peer: Peer) -> None:
                await hello_forever(peer)

            async with pooled(handler) as (_, there):
                port = listener.getsockname()[1]
                origin = type(there.origin)("http", "127.0.0.1", port)
                pool = Pool(origin, limits=limits(), timeouts=PATIENT)
                task = asyncio.create_task(get_all(pool))
                first, _ = await loop.sock_accept(listener)
                await loop.sock_recv(first, 1000)
                await loop.sock_sendall(first, HELLO)
                assert b"hello" == await task
                # No await between these two: the event loop has no chance to read the socket.
                if trace:
                    first.send(trace)
                else:
                    first.close()
                task = asyncio.create_task(get_all(pool))
                second, _ = await loop.sock_accept(listener)
                await loop.sock_recv(second, 1000)
                await loop.sock_sendall(second, HELLO)
                assert b"hello" == await task
                await pool.aclose()
                first.close()
                second.close()

    run(main)


@contextlib.asynccontextmanager
async def kept_connections(count: int, most: int = 4) -> AsyncIterator[tuple[Pool, socket.socket, list[socket.socket]]]:
    """Give a pool with so many kept connections, the listener, and the upstream's ends: the test plays the upstream."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        pool = Pool(Origin("http", *listener.getsockname()), limits=limits(max_connections=most), timeouts=PATIENT)
        asked = [asyncio.create_task(get_all(pool)) for _ in range(count)]
        ends = [(await loop.sock_accept(listener))[0] for _ in range(count)]
        for end in ends:
            await answer_once(end)
        assert [b"hello"] * count == await asyncio.gather(*asked)
        try:
            yield pool, listener, ends
        finally:
            await pool.aclose()
            for end in ends:
                end.close()


async def get_all_behind(pool: Pool, closed: list[socket.socket]) -> bytes:
    """Close these ends and ask; nobody learns of the closing before the request is written."""
    for connection in pool._idle:
        connection._peek = select.poll()  # which looks at no socket
    for end in closed:
        end.close()
    return await get_all(pool)


async def answer_once(end: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_recv(end, 100_000)
    await loop.sock_sendall(end, HELLO)


def test_a_request_that_crosses_the_close_of_its_kept_connection_goes_over_a_fresh_one() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with kept_connections(2) as (pool, listener, ends):
            asked = asyncio.create_task(get_all_behind(pool, list(ends)))
            fresh, _ = await loop.sock_accept(listener)
            ends.append(fresh)
            await answer_once(fresh)
            assert b"hello" == await asked  # and the other kept connection, as stale, was not tried

    run(main)


def test_what_surely_was_not_sent_may_be_put_to_another_upstream() -> None:
    async def main() -> None:
        async with kept_connections(1) as (pool, listener, ends):
            listener.close()
            with pytest.raises(ConnectFailed) as caught:
                await get_all_behind(pool, ends)
            assert not caught.value.sent

    run(main)


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("kept", [0, 1])
def test_a_request_that_has_arrived_is_sent_only_once_whatever_becomes_of_its_connection(end: str, kept: int) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            for _ in range(kept):
                await peer.answer()
            heard.append(await peer.hear())
            if end == "reset":
                peer.reset()

        heard: list[object] = []
        async with pooled(handler) as (pool, there):
            for _ in range(kept):
                await get_all(pool)
            with pytest.raises(ResponseBroken) as caught:
                await pool.send(b"POST", b"/", [], b"x" * 2_000)
            assert (True, True, 1, 1) == (caught.value.sent, caught.value.before_response, there.accepted, len(heard))

    run(main)


def test_a_fresh_connection_that_closes_without_an_answer_is_an_error_and_not_tried_again() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.hear()

        async with pooled(handler) as (pool, there):
            with pytest.raises(ResponseBroken) as caught:
                await get(pool)
            assert (True, True) == (caught.value.sent, caught.value.before_response)
            assert 1 == there.accepted

    run(main)


def test_a_kept_connection_that_breaks_after_the_first_byte_is_not_tried_again() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer()
            await peer.answer(b"H")

        async with pooled(handler) as (pool, there):
            await get_all(pool)
            with pytest.raises(ResponseBroken) as caught:
                await get(pool)
            assert not caught.value.before_response
            assert 1 == there.accepted

    run(main)


def test_dropping_an_unfinished_answer_closes_its_connection_at_once_and_frees_the_slot() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 9\r\n\r\nhello")
            await peer.hear_the_end()

        async with pooled(handler, limits=limits(max_connections=1)) as (pool, there):
            response = await get(pool)
            assert b"hello" == await response.read_chunk()
            reading = asyncio.create_task(response.read_chunk())
            await asyncio.sleep(0)
            response.cancel()
            assert 0 == pool.slots_taken
            response.cancel()
            await response.aclose()
            with pytest.raises(ResponseBroken, match="dropped by its reader"):
                await reading
            await until(lambda: there.open == 0)
            assert not response.complete

    run(main)


def test_closing_a_complete_answer_disturbs_nobody() -> None:
    async def main() -> None:
        async with pooled(hello_forever) as (pool, there):
            first = await get(pool)
            second = await get(pool)
            first.cancel()
            await first.aclose()
            assert b"hello" == await second.read_chunk()
            assert (1, 1) == (there.accepted, pool.idle)

    run(main)


def test_an_answer_nobody_holds_any_more_drops_its_connection() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 9\r\n\r\nhello")
            await peer.hear_the_end()

        async with pooled(handler) as (pool, there):
            await get(pool)
            gc.collect()
            await until(lambda: pool.slots_taken == 0 and there.open == 0)

    run(main)


def test_a_read_that_is_cancelled_loses_nothing() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 5\r\n\r\n")
            await go.wait()
            await peer.say(b"hello")
            await peer.hear_the_end()

        async with pooled(handler) as (pool, _):
            response = await get(pool)
            for _ in range(3):
                reading = asyncio.create_task(response.read_chunk())
                await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])
            go.set()
            assert b"hello" == await response.read_chunk()

    run(main)


def test_a_read_that_is_cancelled_stops_the_idle_clock() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 5\r\n\r\n")
            await go.wait()
            await peer.say(b"hello")
            await peer.hear_the_end()

        brisk = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=0.03)
        async with pooled(handler, timeouts=brisk) as (pool, _):
            response = await get(pool)
            reading = asyncio.create_task(response.read_chunk())
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            await asyncio.sleep(0.05)
            go.set()
            await until(lambda: response.complete)
            assert b"hello" == await response.read_chunk()

    run(main)


def test_two_readers_of_one_answer_are_a_mistake() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 5\r\n\r\n")
            await peer.hear_the_end()

        async with pooled(handler) as (pool, _), await get(pool) as response:
            reading = asyncio.create_task(response.read_chunk())
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="two tasks"):
                await response.read_chunk()
            reading.cancel()
            await asyncio.wait([reading])

    run(main)


class Before:
    """Does something whenever what it awaits is about to go on."""

    def __init__(self, awaited: Coroutine[Any, Any, Response], act: Callable[[], object]) -> None:
        self.awaited = awaited
        self.act = act

    def __await__(self) -> Generator[Any, None, Response]:
        while True:
            try:
                waits_for = self.awaited.send(None)
            except StopIteration as end:
                return cast("Response", end.value)
            yield waits_for
            self.act()


@pytest.mark.parametrize("max_connections", [1, 2])
def test_a_task_cancelled_at_any_moment_leaves_no_slot_taken(max_connections: int) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            for _ in range(3):
                await peer.hear()
                await peer.say(OK + b"Content-Length: 6\r\n\r\nhel")
                await asyncio.sleep(0)
                await peer.say(b"lo!")

        async with pooled(handler, limits=limits(max_connections)) as (pool, there):
            for turns in range(40):
                tasks = [asyncio.create_task(get_all(pool)) for _ in range(4)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for task in tasks[:3]:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                assert b"hello!" == results[3]
                assert all(r == b"hello!" or isinstance(r, asyncio.CancelledError) for r in results)
                assert pool.idle == pool.slots_taken
            await until(lambda: there.open == pool.slots_taken == pool.idle)

    run(main)


def test_a_task_cancelled_when_its_answer_has_just_ended_leaves_the_connection_to_the_next_request() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.hear()
            await go.wait()
            await peer.say(HELLO)
            await peer.answer()
            await peer.hear_the_end()

        async with pooled(handler, limits=limits(max_connections=1)) as (pool, there):
            first = asyncio.create_task(get(pool))
            await until(lambda: pool.slots_taken == 1)

            async def hasty() -> Response:
                # The waiting request is told of the connection first: it has not yet come to the one that had it.
                return await Before(get(pool), first.cancel)

            second = asyncio.create_task(hasty())
            await asyncio.sleep(0)
            go.set()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert b"hello" == await (await second).read_chunk()
            assert 1 == there.accepted

    run(main)


def test_the_replacement_of_a_stale_connection_is_fresh_even_when_it_has_to_be_waited_for() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with kept_connections(1, most=1) as (pool, listener, ends):
            both = [asyncio.create_task(get_all_behind(pool, list(ends))), asyncio.create_task(get_all(pool))]
            # The first, found stale, gave its slot to the second; it then did not take over the second's connection.
            for _ in range(2):
                fresh, _ = await loop.sock_accept(listener)
                ends.append(fresh)
                await answer_once(fresh)
            assert [b"hello", b"hello"] == await asyncio.gather(*both)
            assert 1 == pool.idle

    run(main)


def test_a_closed_pool_lets_answers_end_and_takes_no_more_requests() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 5\r\n\r\n")
            await go.wait()
            await peer.say(b"hello")
            await peer.hear_the_end()

        async with pooled(handler, limits=limits(max_connections=1)) as (pool, there):
            response = await get(pool)
            waiting = asyncio.create_task(get(pool))
            await asyncio.sleep(0)
            pool.close()
            for refused in (waiting, get(pool)):
                with pytest.raises(PoolExhausted, match="is closed"):
                    await refused
            go.set()
            assert b"hello" == await response.read_chunk()
            await until(lambda: pool.slots_taken == 0 and there.open == 0)

    run(main)


def test_closing_for_good_drops_what_is_under_way() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 5\r\n\r\n")
            await peer.hear_the_end()

        async with pooled(handler) as (pool, there):
            response = await get(pool)
            await pool.aclose()
            with pytest.raises(ResponseBroken):
                await response.read_chunk()
            await until(lambda: there.open == 0)

    run(main)
