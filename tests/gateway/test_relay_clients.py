"""What becomes of an answer when its client leaves."""

import asyncio
from pathlib import Path

import pytest

from tests.gateway.rig import (
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
    Stage,
    chunk,
    http,
)
from tests.gateway.upstream_server import until


def test_a_client_that_leaves_mid_stream_cancels_the_upstream_at_once(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST))
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            assert FIRST == await caller.chunk()
            with rig.blocked_journal():
                caller.leave()
                await asyncio.wait_for(stage.dropped.wait(), 5)
                assert [] == rig.events()
            assert (200, False, "estimated", None, 1) == outcome(await rig.event())
        assert [] == caplog.records

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
            assert (200, False, "unknown", None, None) == outcome(await rig.event())

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
            with rig.blocked_journal():
                caller = await rig.call(rig.request(STREAM if stream else CHAT))
                if stream:  # all but the terminal event
                    await caller.head()
                    assert FIRST + USED == await caller.chunk()
                await nothing_comes(caller)
                caller.leave()
                await asyncio.sleep(0.05)
            assert REPORTED == outcome(await rig.event())
            await asyncio.wait_for(stage.dropped.wait(), 5) if stream else None
            await until(lambda: rig.counters.read().get("recorded.gateway") == 1)

    run(main)


def test_a_client_that_leaves_after_the_terminal_event_changes_nothing(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST + USED + DONE))
        stage.play(0)
        async with relaying(stores, tmp_path, stage) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            assert FIRST + USED == await caller.chunk()
            assert DONE == await caller.chunk()
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
            recorded = await rig.event()
            assert ("reported" if drain else "estimated") == recorded.usage_source

    run(main)
