"""Metering through a real gateway: labels that lie, ends that come late, answers that cannot be read."""

import asyncio
import gzip
import json
import logging
import time
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard

from tests.gateway.rig import HASTY, REPORTED, Rig, Stores, nothing_comes, outcome, relaying, run
from tests.gateway.stage import (
    ANSWER,
    CHAT,
    DONE,
    FIRST,
    JSON_HEAD,
    STREAM,
    STREAM_HEAD,
    USED,
    Stage,
    answering,
    chunk,
    http,
)
from tests.gateway.upstream_server import Peer
from tests.usage.cases import Case, cases

EVENTS = FIRST + USED + DONE


def head(*headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *headers, "", ""]).encode()


def unread(rig: Rig) -> dict[str, int]:
    return {name: count for name, count in rig.counters.read().items() if name.startswith("unread.")}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_body_of_a_report_is_relayed_and_recorded_right(case: Case, stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        labels = [f"{name}: {value}" for name, value in case.headers.items()]
        said = head(*labels) + b"".join(map(chunk, case.pieces)) + chunk(b"")
        async with relaying(stores, tmp_path, answering(said)) as rig:
            asked = {**CHAT, "input": "x", "max_tokens": 5, "stream": case.stream}
            reply = await rig.ask(asked, path=case.path)
            assert (200, case.body, True) == (reply.status, reply.body, reply.whole)
            recorded = await rig.event()
            found = {name: getattr(recorded, name) for name in case.right}
            assert {} == case.differences(found)

    run(main)


LABELS = [
    None,
    "none",
    "UTF-8",
    "identity",
    "gzip",
    "br",
    "deflate",
    "zstd",
    "compress",
]
TYPES = ["text/event-stream", "application/json", "application/x-ndjson", "text/html", "audio/mpeg", None]
BODIES = {
    "document": ANSWER,
    "stream": EVENTS,
    "gzipped document": gzip.compress(ANSWER),
    "gzipped stream": gzip.compress(EVENTS),
    "zstd stream": zstandard.ZstdCompressor().compress(EVENTS),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("coding", LABELS)
def test_no_label_changes_the_usage_or_a_byte_of_what_the_client_gets(
    stores: Stores, tmp_path: Path, coding: str | None, body: bytes
) -> None:
    async def main() -> None:
        said: list[bytes] = []
        for kind in TYPES:
            labels = [] if kind is None else [f"Content-Type: {kind}"]
            labels += [] if coding is None else [f"Content-Encoding: {coding}"]
            half = len(body) // 2
            said.append(head(*labels) + chunk(body[:half]) + chunk(body[half:]) + chunk(b""))

        async def each_in_turn(peer: Peer) -> None:
            while said:
                await peer.answer(said.pop(0))

        async with relaying(stores, tmp_path, each_in_turn) as rig:
            for _ in TYPES:
                reply = await rig.ask(STREAM)
                assert (body, True) == (reply.body, reply.whole)
            assert [REPORTED] * len(TYPES) == [outcome(event) for event in rig.events()]

    run(main)


def test_brotli_is_read_on_its_header_and_text_in_spite_of_it(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        said = [http(brotli.compress(ANSWER), headers=["Content-Encoding: br"])]
        said.append(http(ANSWER, headers=["Content-Encoding: br"]))

        async def each_in_turn(peer: Peer) -> None:
            while said:
                await peer.answer(said.pop(0))

        async with relaying(stores, tmp_path, each_in_turn) as rig:
            assert brotli.compress(ANSWER) == (await rig.ask(CHAT)).body
            assert ANSWER == (await rig.ask(CHAT)).body
            assert [REPORTED] * 2 == [outcome(event) for event in rig.events()]

    run(main)


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/event-stream"])
def test_events_leave_as_they_come_whatever_they_are_called(stores: Stores, tmp_path: Path, kind: str) -> None:
    async def main() -> None:
        stage = Stage(head(f"Content-Type: {kind}") + chunk(FIRST), chunk(USED), chunk(DONE))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            stage.play(0)
            await caller.head()
            assert FIRST == await caller.chunk()
            stage.play(1)
            assert USED == await caller.chunk()
            stage.play(2)
            # The upstream says nothing more and does not end: the last event is not kept back for that.
            assert DONE == await asyncio.wait_for(caller.chunk(), 5)
            assert REPORTED == outcome(await rig.event())
            caller.leave()

    run(main)


def test_a_stream_that_falls_silent_after_its_terminal_event_is_ended_properly(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        from_upstream = Stage(head("Content-Type: application/json") + chunk(FIRST) + chunk(USED) + chunk(DONE))
        from_upstream.play(0)
        async with relaying(stores, tmp_path, from_upstream, timeouts=HASTY) as rig:
            reply = await rig.ask(STREAM)
            assert (EVENTS, True) == (reply.body, reply.whole)
            assert REPORTED == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("reset", [True, False])
def test_a_connection_that_breaks_behind_the_terminal_event_takes_nothing_with_it(
    stores: Stores, tmp_path: Path, reset: bool
) -> None:
    async def main() -> None:
        async def then_break(peer: Peer) -> None:
            await peer.answer(STREAM_HEAD + chunk(EVENTS))
            if reset:
                await asyncio.sleep(0.02)
                peer.reset()

        async with relaying(stores, tmp_path, then_break) as rig:
            reply = await rig.ask(STREAM)
            assert (200, EVENTS, True) == (reply.status, reply.body, reply.whole)
            assert REPORTED == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("apart", [True, False])
def test_usage_behind_the_terminal_event_counts(stores: Stores, tmp_path: Path, apart: bool) -> None:
    async def main() -> None:
        pieces = [FIRST, DONE, USED] if apart else [FIRST, DONE + USED]
        said = STREAM_HEAD + b"".join(map(chunk, pieces)) + chunk(b"")
        async with relaying(stores, tmp_path, answering(said)) as rig:
            assert FIRST + DONE + USED == (await rig.ask(STREAM)).body
            assert REPORTED == outcome(await rig.event())
            assert {} == unread(rig)

    run(main)


def test_usage_soon_after_the_terminal_event_is_waited_for_and_comes_out_with_it(
    stores: Stores, tmp_path: Path
) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST), chunk(DONE), chunk(USED) + chunk(b""))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            stage.play(0)
            await caller.head()
            assert FIRST == await caller.chunk()
            with rig.blocked_journal():  # however late the test itself is, nothing is on disk before both are out
                stage.play(1)
                stage.play(2)
                await nothing_comes(caller)
            assert DONE + USED == await caller.chunk() + (await caller.chunk())
            assert REPORTED == outcome(await rig.event())

    run(main)


def test_usage_that_comes_long_after_the_terminal_event_is_told_of_as_late(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST) + chunk(DONE), chunk(USED) + chunk(b""))
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            # What came with the terminal event does not wait with it.
            assert FIRST == await asyncio.wait_for(caller.chunk(), 5)
            began = time.monotonic()
            assert DONE == await asyncio.wait_for(caller.chunk(), 5)
            assert time.monotonic() - began < 4
            assert (200, False, "unknown", None, None) == outcome(await rig.event())
            stage.play(1)
            assert USED == await caller.chunk()
            assert b"" == await caller.chunk()
            assert {"unread.late": 1, "unread.nothing_reported": 1} == unread(rig)

    run(main)


def test_an_error_amid_a_stream_does_not_end_the_reading(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        error = b'data: {"error": {"message": "no"}}\n\n'
        stage = Stage(STREAM_HEAD + chunk(FIRST) + chunk(error), chunk(FIRST), chunk(USED) + chunk(DONE) + chunk(b""))
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            got = await caller.chunk()
            while not got.endswith(error):
                got += await caller.chunk()
            assert [] == rig.events()
            stage.play(1)
            assert FIRST == await caller.chunk()
            stage.play(2)
            while piece := await caller.chunk():
                got += piece
            assert FIRST + error + USED + DONE == got
            assert REPORTED == outcome(await rig.event())

    run(main)


UNREADABLE: dict[str, tuple[bytes, dict[str, int]]] = {
    "an unknown coding": (
        http(b"\x9c\x01\xff\x00 opaque", headers=["Content-Encoding: compress"]),
        {"unread.unknown_encoding": 1},
    ),
    "a broken coding": (
        http(gzip.compress(ANSWER)[:20] + b"\xff" * 40, headers=["Content-Encoding: gzip"]),
        {"unread.broken_encoding": 1},
    ),
    "a bomb": (http(gzip.compress(b'{"data": "' + b"x" * 140_000_000)), {"unread.oversized": 1}),
    "malformed JSON": (http(b'{"choices": [}, "PRIVATE"'), {"unread.malformed_json": 1}),
    "a malformed event": (
        STREAM_HEAD + chunk(b'data: {"PRIVATE": [}\n\n' + EVENTS) + chunk(b""),
        {"unread.malformed_json": 1},
    ),
    "a stream that ends amid an event": (
        STREAM_HEAD + chunk(FIRST + b'data: {"PRIVATE": "') + chunk(b""),
        {"unread.broken_stream": 1},
    ),
    "neither": (http(b"<html>PRIVATE</html>"), {"unread.unknown_form": 1}),
    "sound": (http(b"ID3PRIVATE", kind="audio/mpeg"), {"unread.nothing_reported": 1}),
    "no usage": (http(b'{"choices": []}'), {"unread.nothing_reported": 1}),
    "a refusal": (http(b'{"error": "PRIVATE"}', status=400), {}),
    "an error in a 200": (http(b'{"error": "PRIVATE"}'), {}),
    "all well": (http(ANSWER), {}),
}


@pytest.mark.parametrize(("said", "counted"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_counted_by_reason_and_told_without_a_word_of_it(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture, said: bytes, counted: dict[str, int]
) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, answering(said)) as rig:
            reply = await rig.ask(STREAM)
            assert reply.whole
            await rig.event()
            assert counted == unread(rig)
            told: list[Any] = [record for record in caplog.records if "could not be read" in record.message]
            assert [name.removeprefix("unread.") for name in counted] == [record.reason for record in told]
            for record in told:
                assert ("up", reply.header("x-generation-id")) == (record.upstream, record.request_id)

    with caplog.at_level(logging.DEBUG, "tokenboard"):
        run(main)
    assert "PRIVATE" not in "".join(str(record.__dict__) for record in caplog.records)


def test_an_upstream_that_never_reports_usage_is_told_of_once_and_counted_each_time(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, answering(http(b'{"choices": []}'))) as rig:
            for _ in range(5):
                await rig.ask(CHAT)
            assert {"unread.nothing_reported": 5} == unread(rig)

    run(main)
    assert 1 == sum("could not be read" in record.message for record in caplog.records)


def test_a_large_document_leaves_as_it_comes_less_one_byte(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        body = json.dumps({"padding": "x" * 100_000, **json.loads(ANSWER)}).encode()
        stage = Stage(JSON_HEAD + chunk(body[:50_000]), chunk(body[50_000:]), chunk(b""))
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(CHAT))
            stage.play(0)
            await caller.head()
            got = b""
            while len(got) < 49_999:
                got += await caller.chunk()
            assert body[:49_999] == got
            stage.play(1)
            while len(got) < len(body) - 1:
                got += await caller.chunk()
            await nothing_comes(caller)
            stage.play(2)
            assert body == got + await caller.chunk()
            assert b"" == await caller.chunk()
            assert REPORTED == outcome(await rig.event())

    run(main)
