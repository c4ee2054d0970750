"""From the upstream's answer to the client's last byte: what is relayed, what is recorded, and in which order."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import (
    ANSWER,
    APP,
    CHAT,
    DONE,
    FIRST,
    HASTY,
    JSON_HEAD,
    NOW_MS,
    SECOND,
    STREAM_HEAD,
    USED,
    Handler,
    Stores,
    answering,
    chunk,
    gateway,
    gzipped,
    http,
    relaying,
    run,
)
from tests.gateway.upstream_server import Peer, until
from tokenboard.event import UsageEvent
from tokenboard.gateway import Timeouts, UpstreamSpec

STREAM = {**CHAT, "stream": True}
ROLE = b'data: {"id": "c1", "choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n'
ERROR_EVENT = b'data: {"error": {"code": 500, "message": "no"}}\n\n'


def outcome(event: UsageEvent) -> tuple[Any, ...]:
    return (event.status, event.failed, event.usage_source, event.prompt_tokens, event.completion_tokens)


REPORTED = (200, False, "reported", 7, 3)


class Stage:
    """A scripted answer in acts: the test decides when the next is played."""

    def __init__(self, *acts: bytes) -> None:
        self._acts = acts
        self._cues = [asyncio.Event() for _ in acts]
        self.dropped = asyncio.Event()
        self.heard = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        await peer.hear()
        self.heard.set()
        for act, cue in zip(self._acts, self._cues, strict=True):
            await cue.wait()
            await peer.say(act)
        await peer.hear_the_end()
        self.dropped.set()

    def play(self, number: int) -> None:
        self._cues[number].set()


def resetting(data: bytes) -> Handler:
    """Say this much, then reset the connection."""

    async def handle(peer: Peer) -> None:
        await peer.answer(data)
        await asyncio.sleep(0.02)  # what was said must be on its way before the reset overtakes it
        peer.reset()

    return handle


def closing(data: bytes) -> Handler:
    """Say this much, then close the connection in order."""

    async def handle(peer: Peer) -> None:
        await peer.answer(data)

    return handle


# -- whole answers


def test_an_answer_is_relayed_byte_for_byte_and_recorded_once(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        body = (
            b' {"usage" :' + json.dumps({"prompt_tokens": 7, "completion_tokens": 3}).encode() + b', "x": "\xff"}\r\n'
        )
        async with relaying(stores, tmp_path, answering(http(body))) as rig:
            reply = await rig.ask(CHAT, headers=APP)
            assert (200, body, True) == (reply.status, reply.body, reply.whole)
            assert "https://cline.bot" == reply.header("x-tokenboard-app")
            event = await rig.event()
            assert reply.header("x-generation-id") == event.id
            assert REPORTED == outcome(event)
            expected = (NOW_MS, "gateway", "https://cline.bot", None, "Cline", "up/small", "up", "chat", False)
            assert expected == (
                event.ts_ms,
                event.source,
                event.app_key,
                event.reason,
                event.title,
                event.model,
                event.provider,
                event.endpoint,
                event.streamed,
            )
            assert event.latency_ms is not None
            assert event.first_token_ms is not None
            assert 0 <= event.first_token_ms <= event.latency_ms
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
            event = await rig.event()
            assert REPORTED == outcome(event)
            assert event.streamed

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
            event = await rig.event()
            assert (status, True, "unknown", None, None) == outcome(event)
            assert reply.header("x-generation-id") == event.id

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

            asked = await asyncio.gather(*(ask(number) for number in range(1, 151)))
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


async def nothing_comes(caller: Any) -> None:
    """Look for a while whether the client is sent anything more."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(caller.reader.readexactly(1), 0.15)


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
            with rig.blocked_spool():
                caller = await rig.call(rig.request(CHAT))
                await nothing_comes(caller)
                assert [] == rig.events()
            reply = await caller.reply()
            assert (ANSWER, True) == (reply.body, reply.whole)
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
            with rig.blocked_spool():
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
            with rig.blocked_spool():
                stage.play(1)
                await nothing_comes(caller)
            assert b"" == await caller.chunk()
            assert REPORTED == outcome(*rig.events())

    run(main)


# -- when the spool fails


def test_an_answer_that_cannot_be_recorded_is_withheld(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, answering(http(ANSWER))) as rig:
            rig.break_spool()
            reply = await rig.ask(CHAT)
            assert 503 == reply.error()["code"]
            assert "5" == reply.header("retry-after")
            assert reply.header("x-generation-id")
            assert "none; reason=missing_referer" == reply.header("x-tokenboard-app")
        assert ["a store is away: an answer is withheld"] == [record.message for record in caplog.records]

    run(main)


def test_a_stream_that_cannot_be_recorded_is_cut_before_its_terminal_event(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST + USED), chunk(DONE) + chunk(b""))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            stage.play(0)
            await caller.head()
            assert FIRST + USED == await caller.chunk()
            rig.break_spool()
            stage.play(1)
            assert b"" == await caller.reader.read()

    run(main)


def test_a_fault_that_cannot_be_recorded_is_told_as_ours(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, closing(b"")) as rig:
            rig.break_spool()
            assert 503 == (await rig.ask(CHAT)).error()["code"]

    run(main)


# -- when the client leaves


def test_a_client_that_leaves_mid_stream_cancels_the_upstream(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST))
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            assert FIRST == await caller.chunk()
            caller.leave()
            await asyncio.wait_for(stage.dropped.wait(), 5)
            assert (200, False, "estimated", None, 1) == outcome(await rig.event())

    run(main)


def test_usage_seen_before_the_client_left_is_kept_as_partial(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST + USED))
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            await caller.chunk()
            caller.leave()
            await asyncio.wait_for(stage.dropped.wait(), 5)
            assert (200, False, "partial", 7, 3) == outcome(await rig.event())

    run(main)


def test_draining_reads_the_upstream_to_its_end_when_the_client_has_left(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST), chunk(SECOND), chunk(USED + DONE) + chunk(b""))
        stage.play(0)
        async with relaying(stores, tmp_path, stage, drain=True) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            await caller.chunk()
            caller.leave()
            await asyncio.sleep(0.05)
            stage.play(1)
            await asyncio.sleep(0.05)
            assert not stage.dropped.is_set()
            stage.play(2)
            assert REPORTED == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("drain", [False, True])
def test_a_client_that_leaves_before_the_head(stores: Stores, tmp_path: Path, drain: bool) -> None:
    async def main() -> None:
        stage = Stage(http(ANSWER))
        async with relaying(stores, tmp_path, stage, drain=drain) as rig:
            caller = await rig.call(rig.request(CHAT))
            await stage.heard.wait()
            caller.leave()
            if drain:
                await asyncio.sleep(0.05)
                stage.play(0)
                assert REPORTED == outcome(await rig.event())
            else:
                assert (499, True, "unknown", None, None) == outcome(await rig.event())
                stage.play(0)
                await asyncio.wait_for(stage.dropped.wait(), 5)

    run(main)


def test_a_client_that_leaves_in_the_middle_of_a_document(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(JSON_HEAD + chunk(ANSWER[:10]))
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(CHAT))
            await stage.heard.wait()
            await asyncio.sleep(0.05)
            caller.leave()
            await asyncio.wait_for(stage.dropped.wait(), 5)
            assert (499, True, "unknown", None, None) == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_while_its_usage_is_committed_is_one_whole_event(
    stores: Stores, tmp_path: Path, stream: bool
) -> None:
    async def main() -> None:
        said = STREAM_HEAD + chunk(FIRST + USED + DONE) if stream else http(ANSWER)
        stage = Stage(said)
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            with rig.blocked_spool():
                caller = await rig.call(rig.request(STREAM if stream else CHAT))
                await nothing_comes(caller)
                caller.leave()
                await asyncio.sleep(0.05)
            assert REPORTED == outcome(await rig.event())
            await asyncio.wait_for(stage.dropped.wait(), 5) if stream else None
            await until(lambda: {"recorded.gateway": 1} == rig.counters.read())

    run(main)


def test_a_client_that_leaves_after_the_terminal_event_changes_nothing(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST + USED + DONE))
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            assert (await caller.chunk()).endswith(DONE)
            caller.leave()
            await asyncio.wait_for(stage.dropped.wait(), 5)
            assert REPORTED == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("drain", [False, True])
def test_a_client_that_reads_nothing_and_leaves_holds_nobody(stores: Stores, tmp_path: Path, drain: bool) -> None:
    async def main() -> None:
        pieces = [chunk(FIRST * 1000) for _ in range(80)]  # 8 MB: more than the sockets' buffers hold
        stage = Stage(STREAM_HEAD + b"".join(pieces) + chunk(USED + DONE) + chunk(b""))
        stage.play(0)
        async with relaying(stores, tmp_path, stage, drain=drain) as rig:
            caller = await rig.call(rig.request(STREAM))
            caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(0.3)
            assert [] == rig.events()
            caller.leave()
            event = await rig.event()
            assert ("reported" if drain else "estimated") == event.usage_source

    run(main)


# -- when the upstream fails


def test_a_refused_connection_is_502_and_a_failed_event(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        spec = UpstreamSpec("up", "http://127.0.0.1:1/v1")
        async with gateway(stores, tmp_path, [spec]) as rig:
            reply = await rig.ask(CHAT)
            assert "The upstream up cannot be reached" in reply.error()["message"]
            assert 502 == reply.status
            assert reply.header("x-generation-id") == (await rig.event()).id
            assert (502, True, "unknown", None, None) == outcome(*rig.events())

    run(main)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-x\r\n\r\n",
        JSON_HEAD,
        STREAM_HEAD,
        JSON_HEAD + chunk(ANSWER[:9]),
        http(b"{", length=9),
    ],
)
@pytest.mark.parametrize("end", [resetting, closing])
def test_a_fault_before_anything_was_sent_on_is_502(stores: Stores, tmp_path: Path, said: bytes, end: Any) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, end(said)) as rig:
            reply = await rig.ask(STREAM)
            assert 502 == reply.error()["code"]
            assert "127.0.0.1" not in reply.error()["message"]
            event = await rig.event()
            assert (502, True, "unknown", None, None) == outcome(event)
            assert reply.header("x-generation-id") == event.id

    run(main)


@pytest.mark.parametrize("said", [b"", JSON_HEAD, STREAM_HEAD])
def test_an_upstream_that_says_nothing_in_time_is_504(stores: Stores, tmp_path: Path, said: bytes) -> None:
    async def main() -> None:
        stage = Stage(said)
        stage.play(0)
        async with relaying(stores, tmp_path, stage, timeouts=HASTY) as rig:
            assert 504 == (await rig.ask(CHAT)).error()["code"]
            assert (504, True, "unknown", None, None) == outcome(await rig.event())
            await asyncio.wait_for(stage.dropped.wait(), 5)

    run(main)


def test_a_full_upstream_is_503_with_a_time_to_wait(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(http(ANSWER))
        timeouts = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0, acquire_s=0.05)
        async with relaying(stores, tmp_path, stage, timeouts=timeouts, spec={"max_connections": 1}) as rig:
            first = await rig.call(rig.request(CHAT))
            await stage.heard.wait()
            second = await rig.ask(CHAT)
            assert (503, "5") == (second.error()["code"], second.header("retry-after"))
            assert (503, True, "unknown", None, None) == outcome(*rig.events())
            stage.play(0)
            assert ANSWER == (await first.reply()).body

    run(main)


@pytest.mark.parametrize("end", [resetting, closing])
def test_a_stream_that_breaks_between_events_ends_with_an_error_event(stores: Stores, tmp_path: Path, end: Any) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, end(STREAM_HEAD + chunk(FIRST))) as rig:
            reply = await rig.ask(STREAM)
            assert (200, True) == (reply.status, reply.whole)
            first, _, rest = reply.body.partition(b"\n\n")
            assert FIRST == first + b"\n\n"
            error = json.loads(rest.strip().removeprefix(b"data: "))["error"]
            assert 502 == error["code"]
            assert rest.endswith(b"\n\n")
            assert (200, False, "estimated", None, 1) == outcome(await rig.event())

    run(main)


def test_a_stream_that_falls_silent_ends_with_an_error_event(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST + USED))
        stage.play(0)
        async with relaying(stores, tmp_path, stage, timeouts=HASTY) as rig:
            reply = await rig.ask(STREAM)
            assert reply.whole
            assert b'"code":504' in reply.body
            assert (200, False, "partial", 7, 3) == outcome(await rig.event())

    run(main)


def test_a_stream_that_breaks_before_any_output_counts_as_failed(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, closing(STREAM_HEAD + chunk(ROLE))) as rig:
            reply = await rig.ask(STREAM)
            assert b'"code":502' in reply.body
            assert (200, True, "unknown", None, None) == outcome(await rig.event())

    run(main)


def test_a_stream_that_breaks_within_a_line_is_cut_off(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, closing(STREAM_HEAD + chunk(FIRST + SECOND[:-9]))) as rig:
            reply = await rig.ask(STREAM)
            assert (FIRST + SECOND[:-9], False) == (reply.body, reply.whole)
            assert "estimated" == (await rig.event()).usage_source

    run(main)


def test_a_stream_that_breaks_after_its_terminal_event_ends_properly(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, closing(STREAM_HEAD + chunk(FIRST + USED + DONE))) as rig:
            reply = await rig.ask(STREAM)
            assert (FIRST + USED + DONE, True) == (reply.body, reply.whole)
            assert REPORTED == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_document_that_breaks_is_cut_off_and_keeps_the_usage_it_told(
    stores: Stores, tmp_path: Path, framing: str
) -> None:
    async def main() -> None:
        body = ANSWER[:-1] + b" " * 100_000
        said = (
            http(body, length=len(body) + 1) if framing == "length" else JSON_HEAD + chunk(body[:40]) + chunk(body[40:])
        )

        async def in_two_pieces(peer: Peer) -> None:
            await peer.hear()
            await peer.say(said[:150])
            await asyncio.sleep(0.05)
            await peer.say(said[150:])
            await asyncio.sleep(0.05)

        async with relaying(stores, tmp_path, in_two_pieces) as rig:
            reply = await rig.ask(CHAT)
            assert (200, False) == (reply.status, reply.whole)
            assert body.startswith(reply.body)
            assert (200, False, "partial", 7, 3) == outcome(await rig.event())

    run(main)


def test_a_document_that_breaks_without_usage_counts_as_failed(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async def in_two_pieces(peer: Peer) -> None:
            await peer.answer(JSON_HEAD + chunk(b'{"choices": [{"message": '))
            await asyncio.sleep(0.05)
            await peer.say(chunk(b'{"content": "one two'))
            await asyncio.sleep(0.05)

        async with relaying(stores, tmp_path, in_two_pieces) as rig:
            reply = await rig.ask(CHAT)
            assert (200, False) == (reply.status, reply.whole)
            assert (200, True, "unknown", None, None) == outcome(await rig.event())

    run(main)


def test_a_broken_compressed_stream_is_cut_off(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
        packed = gzipped(FIRST * 100)
        async with relaying(stores, tmp_path, closing(head + chunk(packed[:-8]))) as rig:
            reply = await rig.ask(STREAM)
            assert (packed[:-8], False) == (reply.body, reply.whole)
            assert 1 == len(rig.events())

    run(main)


def test_an_upstream_that_answers_before_it_has_read_the_body_is_heard(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async def hasty(peer: Peer) -> None:
            await peer.reader.readuntil(b"\r\n\r\n")
            await peer.say(http(b'{"error": {}}', status=413))
            await peer.hear_the_end()

        async with relaying(stores, tmp_path, hasty) as rig:
            body = {**CHAT, "padding": "x" * 3_000_000}
            assert 413 == (await rig.ask(body)).status
            assert (413, True, "unknown", None, None) == outcome(await rig.event())

    run(main)


# -- nothing of the content is kept


def test_neither_prompt_nor_answer_nor_key_is_logged_or_stored(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        private = {**CHAT, "messages": [{"role": "user", "content": "PRIVATE"}]}
        spec = {"api_key": "sk-UPSTREAMSECRET"}
        said: list[bytes] = [
            http(b'{"choices": [{"message": {"content": "PRIVATE"}}]}'),
            http(b'{"error": "PRIVATE"}', status=500),
            STREAM_HEAD + chunk(FIRST.replace(b"one", b"PRIVATE")),
            JSON_HEAD + chunk(b'{"PRIVATE'),
            b"HTTP/1.1 PRIVATE\r\n\r\n",
        ]

        async def each_in_turn(peer: Peer) -> None:
            await peer.answer(said.pop(0))

        async with relaying(stores, tmp_path, each_in_turn, spec=spec) as rig:
            while said:
                await rig.ask({**private, "stream": len(said) == 3})
            assert 5 == len(rig.events())
            rig.break_spool()
            said.append(http(ANSWER))
            await rig.ask(private)
            for bad in (b'{"PRIVATE', b'{"model": "up/x", "stream": "PRIVATE"}', b'{"model": ["PRIVATE"]}'):
                assert b"PRIVATE" not in (await rig.ask(bad)).body

    with caplog.at_level(logging.DEBUG, "tokenboard"):
        run(main)
    kept = "".join(str(record.__dict__) for record in caplog.records)
    kept += "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    for word in ("PRIVATE", "UPSTREAMSECRET", *stores.secrets.values()):
        assert word not in kept
    assert 4 == len(caplog.records)
