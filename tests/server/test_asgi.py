"""The contract with an application: what it is given, and what becomes of what it says or fails to say."""

import asyncio
import contextlib
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tests.server.rig import HOST, Log, Served, error_of, run, serving, statuses, until, whole_body
from tokenboard.server import Limits

CLOSE = b"Connection: close\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST


def answering(*messages: dict[str, Any], read: bool = True) -> Any:
    """Return an application that says these messages."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if read:
            await whole_body(receive)
        for message in messages:
            await send(message)

    return app


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(data: bytes = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def answer_to(data: bytes, *messages: dict[str, Any], app: Any = None) -> bytes:
    """Return all that a client gets for these bytes, without the Date."""
    found: list[bytes] = []

    async def main() -> None:
        async with serving(app or answering(*messages)) as there:
            found.append(await there.ask(data))

    run(main)
    lines = found[0].split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(b"date: "))


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([start(), body(b"abc")], b"content-length: 3\r\nconnection: close\r\n\r\nabc"),
        (
            [start(), body(b"abc", True), body(b"", True), body(b"de")],
            b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        ),
        (
            [start(200, (b"Content-Length", b"5")), body(b"abc", True), body(b"de")],
            b"Content-Length: 5\r\nconnection: close\r\n\r\nabcde",
        ),
        ([start(), body(b"", True), body()], b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n"),
        ([start(200, (b"transfer-encoding", b"x")), body(b"a")], b"content-length: 1\r\nconnection: close\r\n\r\na"),
    ],
)
def test_an_answer_is_framed_by_its_length_or_in_chunks(messages: list[dict[str, Any]], expected: bytes) -> None:
    assert b"HTTP/1.1 200 OK\r\n" + expected == answer_to(GET + CLOSE, *messages)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_is_sent_without_one(status: int) -> None:
    answer = answer_to(GET + CLOSE, start(status), body(b"abc"))

    assert answer.endswith(b"\r\nconnection: close\r\n\r\n")
    assert b"content-length" not in answer


def test_an_answer_to_head_has_its_length_and_no_body() -> None:
    answer = answer_to(b"HEAD / HTTP/1.1\r\n" + HOST + CLOSE, start(200, (b"content-length", b"3")), body(b"abc"))

    assert b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n" == answer


def test_a_stream_to_http_1_0_ends_with_the_connection() -> None:
    answer = answer_to(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", start(), body(b"abc", True), body(b"de"))

    assert b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde" == answer


def test_http_1_0_may_keep_its_connection() -> None:
    async def main() -> None:
        async with serving(Log()) as there:
            for _ in range(2):
                caller = await there.call(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                assert b"connection: keep-alive" in await caller.head()

    run(main)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [start()],
        [body(b"abc")],
        [start(99), body()],
        [start(100), body()],
        [start(200, (b"x y", b"z")), body()],
        [start(200, (b"x", b"a\r\nSet-Cookie: b")), body()],
        [start(200, (b"content-length", b"x")), body()],
        [start(200, (b"content-length", b"1"), (b"content-length", b"1")), body(b"a")],
        [{"type": "http.response.trailers"}],
    ],
)
def test_an_application_that_gives_no_proper_answer_is_a_500(messages: list[dict[str, Any]]) -> None:
    answer = answer_to(GET + CLOSE, *messages)

    assert ([500], 500) == (statuses(answer), error_of(answer)["code"])


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ([start(200, (b"content-length", b"5")), body(b"abc")], b""),
        ([start(200, (b"content-length", b"5")), body(b"abc", True), body(b"")], b"abc"),
        ([start(200, (b"content-length", b"2")), body(b"a", True), body(b"bcd")], b"a"),
        ([start(), body(b"abc", True)], b"3\r\nabc\r\n"),
    ],
)
def test_an_answer_that_breaks_off_is_cut_and_never_looks_whole(messages: list[dict[str, Any]], sent: bytes) -> None:
    answer = answer_to(GET + b"\r\n", *messages)

    assert sent == answer.partition(b"\r\n\r\n")[2]


def test_an_answer_that_would_end_with_the_connection_is_reset_when_it_breaks_off() -> None:
    held = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"abc", True))
        await held.wait()
        raise RuntimeError("broke off")

    async def main() -> None:
        async with serving(app) as there:
            caller = await there.call(b"GET / HTTP/1.0\r\n\r\n")
            await caller.head()
            assert b"abc" == await caller.reader.readexactly(3)
            held.set()
            with pytest.raises(ConnectionResetError):
                await caller.reader.read()

    run(main)


def test_requests_sent_ahead_are_answered_in_order_and_one_at_a_time() -> None:
    running: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        running.append(1)
        assert 1 == len(running)
        await asyncio.sleep(0)
        running.pop()
        await send(start())
        await send(body(scope["raw_path"]))

    async def main() -> None:
        async with serving(app, Limits(max_pipelined=16)) as there:
            data = b"".join(b"GET /%d HTTP/1.1\r\n" % index + HOST + b"\r\n" for index in range(10))
            caller = await there.call(data)
            assert [b"/%d" % index for index in range(10)] == [await caller.answer() for _ in range(10)]
            await caller.say(data)
            assert b"/0" == await caller.answer()

    run(main)


def test_of_too_many_requests_sent_ahead_the_first_are_answered_and_the_last_of_them_closes() -> None:
    async def main() -> None:
        async with serving(Log(), Limits(max_pipelined=4)) as there:
            answers = await there.ask((GET + b"\r\n") * 100)
            assert [200] * 5 == statuses(answers)
            assert (1, True) == (answers.count(b"connection: close"), answers.endswith(b"/"))

    run(main)


def test_a_bad_request_behind_good_ones_is_refused_in_its_turn() -> None:
    answers = answer_to((GET + b"\r\n") * 2 + b"BAD\r\n\r\n", start(), body(b"good"))

    assert [200, 200, 400] == statuses(answers)


def test_the_client_is_told_to_go_on_only_when_the_application_wants_its_body() -> None:
    post = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"

    async def main() -> None:
        async with serving(Log()) as there:
            caller = await there.call(post)
            assert b"HTTP/1.1 100 Continue\r\n\r\n" == await caller.head()
            await caller.say(b"abc")
            assert b"/" == await caller.answer()
        async with serving(answering(start(401), body(), read=False)) as there:
            assert [401] == statuses(await there.ask(post))

    run(main)


def test_a_body_nobody_takes_is_left_in_the_socket() -> None:
    taken = asyncio.Event()
    size = 20_000_000
    found: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await taken.wait()
        found.append(len(await whole_body(receive)))
        await send(start())
        await send(body())

    async def main() -> None:
        async with serving(app) as there:
            caller = await there.call()
            sending = asyncio.create_task(
                caller.say(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size, bytes(size))
            )
            await until(lambda: bool(there.server.running))
            (exchange,) = there.server.running
            await until(lambda: exchange.held > Limits().high_water)
            for _ in range(200):
                await asyncio.sleep(0)
            assert (True, False) == (exchange.held < 1_000_000, sending.done())
            taken.set()
            await caller.head()
            await sending

    run(main)
    assert [size] == found


def test_an_application_waits_for_a_client_that_reads_slowly() -> None:
    sent: list[int] = []
    piece = bytes(100_000)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        for _ in range(200):
            await send(body(piece, True))
            sent.append(len(piece))
        await send(body())

    async def main() -> None:
        async with serving(app) as there:
            caller = await there.call(GET + CLOSE)
            await caller.head()
            for _ in range(500):
                await asyncio.sleep(0)
            assert sum(sent) < 15_000_000
            rest = await caller.to_the_end()
            assert (20_000_000, True) == (sum(sent), rest.endswith(b"0\r\n\r\n"))

    run(main)


def test_a_client_that_leaves_is_told_to_the_application() -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await whole_body(receive)
        told.append((await receive())["type"])
        await send(start())
        await send(body(b"nobody reads this"))

    async def main() -> None:
        async with serving(app) as there:
            caller = await there.call(GET + b"\r\n")
            await until(lambda: bool(there.server.running))
            caller.leave()
            await until(lambda: not there.server.running)

    run(main)
    assert ["http.disconnect"] == told


def test_a_client_that_only_stops_sending_still_gets_its_answers() -> None:
    async def main() -> None:
        async with serving(Log()) as there:
            caller = await there.call((GET + b"\r\n") * 3)
            caller.writer.write_eof()
            assert [200, 200, 200] == statuses(await caller.to_the_end())

    run(main)


def test_an_answer_given_before_a_large_body_has_come_is_read_and_the_connection_ends() -> None:
    post = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3000000\r\n\r\n"

    async def main() -> None:
        async with serving(answering(start(413), body(b"too large"), read=False)) as there:
            caller = await there.call(post)
            with contextlib.suppress(ConnectionError):
                await caller.say(bytes(3_000_000))
            answer = await caller.to_the_end()
            assert (True, True) == (answer.endswith(b"too large"), b"connection: close" in answer)

    run(main)


def test_an_answer_given_before_a_small_body_has_come_keeps_the_connection() -> None:
    async def main() -> None:
        async with serving(answering(start(401), body(b"no"), read=False)) as there:
            caller = await there.call(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhe")
            assert b"no" == await caller.answer()
            await caller.say(b"llo" + GET + b"\r\n")
            assert b"no" == await caller.answer()

    run(main)


def test_above_the_limit_of_connections_new_ones_are_told_so() -> None:
    async def main() -> None:
        async with serving(Log(), Limits(max_connections=3, linger_s=0.1)) as there:
            for _ in range(3):
                await there.call()
            await until(lambda: len(there.server.connections) == 3)
            assert 503 == error_of(await there.ask(GET + b"\r\n"))["code"]
            there.callers[0].leave()
            await until(lambda: len(there.server.connections) == 2)
            assert [200] == statuses(await there.ask(GET + CLOSE))

    run(main)


def test_stopping_lets_an_open_answer_finish_and_closes_the_idle() -> None:
    held = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await whole_body(receive)
        await send(start())
        await send(body(b"first", True))
        if scope["path"] == "/held":
            await held.wait()
        await send(body(b"last"))

    async def main() -> None:
        async with serving(app) as there:
            idle = await there.call()
            busy = await there.call(b"GET /held HTTP/1.1\r\n" + HOST + b"\r\n")
            await busy.head()
            stopping = asyncio.create_task(there.server.stop(30))
            assert b"" == await idle.to_the_end()
            with pytest.raises(ConnectionRefusedError):
                await there.call()
            held.set()
            assert (await busy.to_the_end()).endswith(b"4\r\nlast\r\n0\r\n\r\n")
            await stopping

    run(main)


@pytest.mark.parametrize("hurried", [True, False])
def test_stopping_cancels_what_does_not_end_in_time(hurried: bool) -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            told.append("ended")

    async def main() -> None:
        async with serving(app) as there:
            caller = await there.call(GET + b"\r\n")
            await until(lambda: told == ["begun"])
            if hurried:
                there.server.hurry()
            await there.server.stop(60 if hurried else 0.05)
            assert 503 == error_of(await caller.to_the_end())["code"]

    run(main)
    assert ["begun", "ended"] == told


def test_a_request_whose_application_has_not_begun_is_answered_when_the_server_stops() -> None:
    async def main() -> None:
        async with serving(Log()) as there:
            caller = await there.call(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n")
            there.server.hurry()
            await until(lambda: bool(there.server.running))
            await there.server.stop(60)
            assert 503 == error_of(await caller.to_the_end())["code"]

    run(main)


def test_a_fastapi_application_runs_as_it_does_elsewhere() -> None:
    app = FastAPI()

    @app.post("/items/{name}")
    async def item(name: str, payload: dict[str, int]) -> dict[str, Any]:
        return {"name": name, "sum": sum(payload.values())}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"a", b"b"]), media_type="text/plain")

    async def main() -> None:
        async with serving(app) as there:
            data = b'{"a": 1, "b": 2}'
            post = b"POST /items/%C3%A9 HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
            caller = await there.call(post + b"Content-Length: %d\r\n\r\n" % len(data) + data)
            assert '{"name":"é","sum":3}'.encode() == await caller.answer()
            assert (await ask_stream(there)).endswith(b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n")

    run(main)


async def ask_stream(there: Served) -> bytes:
    return await there.ask(b"GET /stream HTTP/1.1\r\n" + HOST + CLOSE)


def test_a_fault_of_ours_before_an_application_begins_is_told_as_ours_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Faulty:
        def owns(self, path: str) -> bool:
            return bool([][len(path)])

        async def answer(self, line: Any, /) -> None:
            raise AssertionError(line)

    async def main() -> None:
        async with serving(Log(), direct=Faulty()) as served:
            said = await served.ask(GET + CLOSE)
            assert [500] == statuses(said)
            assert "not with your request" in error_of(said)["message"]

    run(main)
    (logged,) = [record for record in caplog.records if record.name == "tokenboard.server"]
    assert logged.exc_info is not None
    assert logged.exc_info[0] is IndexError
