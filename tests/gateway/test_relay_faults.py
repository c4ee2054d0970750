"""What becomes of an answer when its upstream or the spool fails."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import (
    HASTY,
    REPORTED,
    Stores,
    gateway,
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
    Stage,
    answering,
    chunk,
    closing,
    event,
    gzipped,
    http,
    resetting,
)
from tests.gateway.upstream_server import Peer, until
from tokenboard.gateway import Timeouts, UpstreamSpec

ROLE = b'data: {"id": "c1", "choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n'


# -- the upstream


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
            recorded = await rig.event()
            assert (502, True, "unknown", None, None) == outcome(recorded)
            assert reply.header("x-generation-id") == recorded.id

    run(main)


@pytest.mark.parametrize("end", [resetting, closing])
@pytest.mark.parametrize("sized", [True, False])
def test_a_document_that_breaks_off_reaches_the_client_as_far_as_it_came(
    stores: Stores, tmp_path: Path, end: Any, sized: bool
) -> None:
    async def main() -> None:
        said = http(ANSWER[:90], length=len(ANSWER)) if sized else JSON_HEAD + chunk(ANSWER[:50]) + chunk(ANSWER[50:90])
        async with relaying(stores, tmp_path, end(said)) as rig:
            reply = await rig.ask(CHAT)
            assert (200, ANSWER[:90], False) == (reply.status, reply.body, reply.whole)
            assert (200, True, "unknown", None, None) == outcome(await rig.event())

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


def test_a_stream_with_a_length_is_cut_off_when_it_breaks(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, closing(http(FIRST, "text/event-stream", length=len(FIRST) + 1))) as rig:
            reply = await rig.ask(STREAM)
            assert (FIRST, False) == (reply.body, reply.whole)
            assert (200, False, "estimated", None, 1) == outcome(await rig.event())
        assert "an upstream's answer broke off" == caplog.records[0].message
        assert "tokenboard.gateway" not in {record.name for record in caplog.records[1:]}

    run(main)


def test_a_broken_compressed_stream_is_cut_off(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
        packed = gzipped(b"".join(event(str(number)) for number in range(2000)))
        packed = packed[: packed.index(b"\n", 100) + 1]  # a line end, but of the packed bytes
        async with relaying(stores, tmp_path, closing(head + chunk(packed))) as rig:
            reply = await rig.ask(STREAM)
            assert (packed, False) == (reply.body, reply.whole)
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


# -- the spool


def test_an_answer_that_cannot_be_recorded_is_withheld(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, answering(http(ANSWER))) as rig:
            rig.break_journal()
            reply = await rig.ask(CHAT)
            assert 503 == reply.error()["code"]
            assert "5" == reply.header("retry-after")
            assert reply.header("x-generation-id")
            assert "none; reason=missing_referer" == reply.header("x-tokenboard-app")
        assert ["the spool is of no use: new requests are refused", "a store is away: an answer is withheld"] == [
            record.message for record in caplog.records
        ]

    run(main)


def test_a_stream_that_cannot_be_recorded_is_cut_before_its_terminal_event(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST + USED), chunk(DONE) + chunk(b""))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            stage.play(0)
            await caller.head()
            assert FIRST + USED == await caller.chunk()
            rig.break_journal()
            stage.play(1)
            said = json.loads((await caller.chunk()).strip().removeprefix(b"data: "))
            assert (503, b"") == (said["error"]["code"], await caller.reader.read())
            assert 1 == rig.counters.read()["unrecorded.gateway"]

    run(main)


def test_a_stream_without_a_terminal_event_that_cannot_be_recorded_does_not_end_as_if_it_were_whole(
    stores: Stores, tmp_path: Path
) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST), chunk(b""))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            stage.play(0)
            await caller.head()
            got = await caller.chunk()
            rig.break_journal()
            stage.play(1)
            got += await caller.reader.read()
            assert FIRST == got[: len(FIRST)]
            assert (True, False) == (b'"code":503' in got, got.endswith(b"0\r\n\r\n"))

    run(main)


def test_after_one_commit_that_failed_no_upstream_is_asked_until_one_works_again(
    stores: Stores, tmp_path: Path
) -> None:
    async def main() -> None:
        asked = 0

        async def count(peer: Peer) -> None:
            nonlocal asked
            while True:
                await peer.answer(http(ANSWER))
                asked += 1

        async with relaying(stores, tmp_path, count) as rig:
            slow_body = json.dumps(CHAT).encode()
            head, body = rig.request(slow_body).split(b"\r\n\r\n", 1)
            slow = await rig.call(head + b"\r\n\r\n" + body[:9])  # let in before, and asks when its body is there
            await asyncio.sleep(0.05)
            rig.break_journal()
            for _ in range(5):
                reply = await rig.ask(CHAT)
                assert (503, "5") == (reply.error()["code"], reply.header("retry-after"))
            await slow.say(body[9:])
            assert 503 == (await slow.reply()).error()["code"]
            counts = rig.counters.read()
            assert (1, 1, 5) == (asked, counts["unrecorded.gateway"], counts["dropped.spool_unavailable"])
            rig.mend_journal()
            await until(lambda: rig.journal.sound)
            assert ANSWER == (await rig.ask(CHAT)).body
            assert [REPORTED] == [outcome(event) for event in rig.events()]

    run(main)


def test_a_fault_that_cannot_be_recorded_is_told_as_ours(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, closing(b"")) as rig:
            rig.break_journal()
            assert 503 == (await rig.ask(CHAT)).error()["code"]

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
            rig.break_journal()
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
    assert 6 == len(caplog.records)
