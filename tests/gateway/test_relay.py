"""From the upstream's answer to the client's last byte: what is relayed, and what is recorded before it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.gateway.rig import (
    APP,
    NOW_MS,
    REPORTED,
    Stores,
    nothing_comes,
    outcome,
    relaying,
    run,
)
from tests.gateway.stage import (
    ANSWER,
    CHAT,
    DONE,
    FIRST,
    JSON_HEAD,
    SECOND,
    STREAM,
    STREAM_HEAD,
    USED,
    Handler,
    Stage,
    answering,
    chunk,
    closing,
    gzipped,
    http,
)
from tests.gateway.upstream_server import Peer

ERROR_EVENT = b'data: {"error": {"code": 500, "message": "no"}}\n\n'


def test_an_answer_is_relayed_byte_for_byte_and_recorded_once(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        body = (
            b' {"usage" :' + json.dumps({"prompt_tokens": 7, "completion_tokens": 3}).encode() + b', "x": "\xff"}\r\n'
        )
        async with relaying(stores, tmp_path, answering(http(body))) as rig:
            reply = await rig.ask(CHAT, headers=APP)
            assert (200, body, True) == (reply.status, reply.body, reply.whole)
            assert "https://cline.bot" == reply.header("x-tokenboard-app")
            recorded = await rig.event()
            assert reply.header("x-generation-id") == recorded.id
            assert REPORTED == outcome(recorded)
            expected = (NOW_MS, "gateway", "https://cline.bot", None, "Cline", "up/small", "up", "chat", False)
            assert expected == (
                recorded.ts_ms,
                recorded.source,
                recorded.app_key,
                recorded.reason,
                recorded.title,
                recorded.model,
                recorded.provider,
                recorded.endpoint,
                recorded.streamed,
            )
            assert recorded.latency_ms is not None
            assert recorded.first_token_ms is not None
            assert 0 <= recorded.first_token_ms <= recorded.latency_ms
            assert {"recorded.gateway": 1} == rig.counters.read()

    run(main)


@pytest.mark.parametrize("size", [1, 3, 17, 4096])
def test_a_stream_cut_anywhere_is_relayed_byte_for_byte(stores: Stores, tmp_path: Path, size: int) -> None:
    said = b": hello\r\n\r\n" + FIRST + SECOND + USED + DONE

    async def main() -> None:
        pieces = [said[start : start + size] for start in range(0, len(said), size)]
        answer = STREAM_HEAD + b"".join(chunk(piece) for piece in pieces) + chunk(b"")
        async with relaying(stores, tmp_path, answering(answer)) as rig:
            reply = await rig.ask(STREAM)
            assert (said, True) == (reply.body, reply.whole)
            assert "text/event-stream" == reply.header("content-type")
            recorded = await rig.event()
            assert REPORTED == outcome(recorded)
            assert recorded.streamed

    run(main)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_any_framing_of_the_upstream_will_do(stores: Stores, tmp_path: Path, framing: str) -> None:
    answers: dict[str, Handler] = {
        "length": answering(http(ANSWER)),
        "chunked": answering(JSON_HEAD + chunk(ANSWER[:20]) + chunk(ANSWER[20:]) + chunk(b"")),
        "close": closing(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + ANSWER),
    }

    async def main() -> None:
        async with relaying(stores, tmp_path, answers[framing]) as rig:
            reply = await rig.ask(CHAT)
            assert (ANSWER, True) == (reply.body, reply.whole)
            assert REPORTED == outcome(await rig.event())

    run(main)


def test_a_compressed_answer_keeps_its_bytes_and_is_metered(stores: Stores, tmp_path: Path) -> None:
    packed = gzipped(ANSWER)

    async def main() -> None:
        handler = answering(http(packed, headers=["Content-Encoding: gzip"]))
        async with relaying(stores, tmp_path, handler) as rig:
            reply = await rig.ask(CHAT, headers={"Accept-Encoding": "gzip"})
            assert (packed, "gzip") == (reply.body, reply.header("content-encoding"))
            assert REPORTED == outcome(await rig.event())

    run(main)


def test_an_answer_of_tens_of_megabytes_is_relayed_and_metered(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        body = ANSWER[:-1] + b', "padding": "' + b"x" * 30_000_000 + b'"}'
        async with relaying(stores, tmp_path, answering(http(body))) as rig:
            reply = await rig.ask(CHAT)
            assert body == reply.body
            assert REPORTED == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_refusal_of_the_upstream_is_relayed_as_it_is_and_counted_failed(
    stores: Stores, tmp_path: Path, status: int
) -> None:
    async def main() -> None:
        body = b'{"error": {"message": "no", "type": "x"}, "usage": {"prompt_tokens": 9}}'
        handler = answering(http(body, status=status, headers=["Retry-After: 7", "X-RateLimit-Remaining: 0"]))
        async with relaying(stores, tmp_path, handler) as rig:
            reply = await rig.ask(CHAT)
            assert (status, body) == (reply.status, reply.body)
            assert ("7", "0") == (reply.header("retry-after"), reply.header("x-ratelimit-remaining"))
            recorded = await rig.event()
            assert (status, True, "unknown", None, None) == outcome(recorded)
            assert reply.header("x-generation-id") == recorded.id

    run(main)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"usage": null}', b'{"choices": []}', b"\x00\xff" * 50])
def test_a_success_without_readable_usage_is_relayed_and_counts_as_unknown(
    stores: Stores, tmp_path: Path, body: bytes
) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, answering(http(body))) as rig:
            reply = await rig.ask(CHAT)
            assert (200, body) == (reply.status, reply.body)
            assert (200, False, "unknown", None, None) == outcome(await rig.event())

    run(main)


def test_an_answer_without_a_body_is_whole(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        handler = answering(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n")
        async with relaying(stores, tmp_path, handler) as rig:
            reply = await rig.ask(CHAT)
            assert (304, None) == (reply.status, reply.header("content-length"))
            assert (304, True, "unknown", None, None) == outcome(await rig.event())

    run(main)


def test_a_stream_that_says_it_failed_before_any_output_counts_as_failed(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        answer = STREAM_HEAD + chunk(ERROR_EVENT) + chunk(b"")
        async with relaying(stores, tmp_path, answering(answer)) as rig:
            assert ERROR_EVENT == (await rig.ask(STREAM)).body
            assert (200, True, "unknown", None, None) == outcome(await rig.event())

    run(main)


def test_every_request_is_one_event_also_over_one_connection(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, answering(http(ANSWER))) as rig:
            caller = await rig.call(b"")
            ids = []
            for _ in range(20):
                await caller.say(rig.request(CHAT))
                reply = await caller.reply()
                assert ANSWER == reply.body
                ids.append(reply.header("x-generation-id"))
            assert ids == [event.id for event in rig.events()]
            # Pipelined: two requests at once.
            await caller.say(rig.request(CHAT) * 2)
            assert [ANSWER, ANSWER] == [(await caller.reply()).body, (await caller.reply()).body]
            assert 22 == len(rig.events())

    run(main)


def test_many_at_once_lose_and_mix_nothing(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async def tell_model(peer: Peer) -> None:
            while True:
                heard = json.loads((await peer.hear()).body)
                usage = {"prompt_tokens": heard["n"], "completion_tokens": 1}
                said = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
                if heard.get("stream"):
                    await peer.say(STREAM_HEAD + chunk(FIRST))
                    await peer.say(chunk(said) + chunk(DONE) + chunk(b""))
                else:
                    await peer.say(http(json.dumps({"usage": usage}).encode()))

        async with relaying(stores, tmp_path, tell_model, spec={"max_connections": 8}) as rig:

            async def ask(number: int) -> tuple[str | None, int]:
                reply = await rig.ask({**CHAT, "n": number, "stream": bool(number % 2)})
                assert str(number).encode() in reply.body
                return reply.header("x-generation-id"), number

            asked = await asyncio.gather(*(ask(number) for number in range(1, 91)))
            assert sorted(asked) == sorted((event.id, event.prompt_tokens) for event in rig.events())

    run(main)


# -- as it arrives, and not before it is recorded


def test_chunks_leave_as_they_arrive(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST), chunk(SECOND[:9]), chunk(SECOND[9:] + USED), chunk(DONE) + chunk(b""))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            stage.play(0)
            assert 200 == (await caller.head()).status
            assert FIRST == await caller.chunk()
            stage.play(1)
            assert SECOND[:9] == await caller.chunk()
            stage.play(2)
            assert SECOND[9:] + USED == await caller.chunk()
            assert [] == rig.events()
            stage.play(3)
            assert DONE == await caller.chunk()
            assert REPORTED == outcome(*rig.events())
            assert b"" == await caller.chunk()

    run(main)


@pytest.mark.parametrize("framing", ["length", "chunked", "chunked late", "close"])
def test_an_answer_is_on_disk_before_it_is_whole_at_the_client(stores: Stores, tmp_path: Path, framing: str) -> None:
    async def main() -> None:
        acts = {
            "length": (http(ANSWER),),
            "chunked": (JSON_HEAD + chunk(ANSWER) + chunk(b""),),
            "chunked late": (JSON_HEAD + chunk(ANSWER), chunk(b"")),
            "close": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n\r\n" + ANSWER,),
        }[framing]
        stage = Stage(*acts)

        async def then_close(peer: Peer) -> None:
            await peer.hear()
            for act in acts:
                await peer.say(act)
                await asyncio.sleep(0.02)

        handler: Handler = then_close if framing in {"close", "chunked late"} else stage
        stage.play(0)
        async with relaying(stores, tmp_path, handler) as rig:
            got = b""
            with rig.blocked_journal():
                caller = await rig.call(rig.request(CHAT))
                if framing in {"close", "chunked late"}:
                    # Any byte may be the last here, so it is held back, and no more than that.
                    assert 200 == (await caller.head()).status
                    got = await caller.chunk()
                    assert ANSWER[:-1] == got
                await nothing_comes(caller)
                assert [] == rig.events()
            while got and (piece := await caller.chunk()):
                got += piece
            if not got:
                reply = await caller.reply()
                assert reply.whole
                got = reply.body
            assert ANSWER == got
            assert REPORTED == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("ending", [DONE, b"data: [DONE]\n", b"data: [DO|NE]\n\n"])
def test_a_stream_is_on_disk_before_its_terminal_event_leaves(stores: Stores, tmp_path: Path, ending: bytes) -> None:
    async def main() -> None:
        pieces = ending.split(b"|")
        stage = Stage(STREAM_HEAD + chunk(FIRST + USED), *(chunk(piece) for piece in pieces), chunk(b""))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            stage.play(0)
            await caller.head()
            assert FIRST + USED == await caller.chunk()
            for number, piece in enumerate(pieces[:-1], start=1):
                stage.play(number)
                assert piece == await caller.chunk()
            with rig.blocked_journal():
                stage.play(len(pieces))
                stage.play(len(pieces) + 1)
                await nothing_comes(caller)
            assert pieces[-1] == await caller.chunk()
            assert b"" == await caller.chunk()
            assert REPORTED == outcome(*rig.events())

    run(main)


def test_a_stream_without_a_terminal_event_is_on_disk_before_its_end_leaves(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST + USED), chunk(b""))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            stage.play(0)
            await caller.head()
            assert FIRST + USED == await caller.chunk()
            with rig.blocked_journal():
                stage.play(1)
                await nothing_comes(caller)
            assert b"" == await caller.chunk()
            assert REPORTED == outcome(*rig.events())

    run(main)


def test_half_a_character_in_a_prompt_is_relayed_as_it_came_and_echoed_as_its_replacement(
    stores: Stores, tmp_path: Path
) -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def listen(peer: Peer) -> None:
            while True:
                heard.append((await peer.answer(http(ANSWER))).body)

        body = b'{ "messages": [{"role": "user", "content": "half \\ud83d"}], "n": 1.0 , "model" : "%b" }'
        async with relaying(stores, tmp_path, listen) as rig:
            assert ANSWER == (await rig.ask(body % b"up/small")).body
            echoed = json.loads((await rig.ask(body % b"tokenboard/echo")).body)
            assert [body % b"small"] == heard
            assert "half \ufffd" == echoed["choices"][0]["message"]["content"]

    run(main)
