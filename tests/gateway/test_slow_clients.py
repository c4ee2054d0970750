"""Clients that read slowly, or not at all: what waits for them is bounded, in bytes and in time."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.gateway.rig import REPORTED, Caller, Stores, outcome, relaying, run
from tests.gateway.stage import DONE, FIRST, STREAM, STREAM_HEAD, USED, Stage, chunk, event
from tests.gateway.upstream_server import Peer, until
from tokenboard.gateway.client import LONGEST_PIECE, Client, ClientStalled, Head
from tokenboard.inline_task import InlineTask

MIB = 1024 * 1024
TEXT = event("x" * 65_000)
BLOCK = chunk(TEXT)
END = chunk(USED + DONE) + chunk(b"")


class Torrent:
    """Streams ``blocks`` blocks as fast as they are taken, and counts the bytes that were."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self.taken = 0
        self.dropped = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        await peer.hear()
        peer.writer.transport.set_write_buffer_limits(high=1)
        try:
            await peer.say(STREAM_HEAD)
            for _ in range(self._blocks):
                await peer.say(BLOCK)
                self.taken += len(BLOCK)
            await peer.say(END)
            await peer.hear_the_end()
        finally:
            self.dropped.set()


def stop_reading(caller: Caller) -> None:
    caller.writer.transport.pause_reading()  # type: ignore[attr-defined]


async def standstill(torrent: Torrent) -> int:
    """Wait until no more bytes are taken; return how many were."""
    before = -1
    async with asyncio.timeout(10):
        while before != torrent.taken:
            before = torrent.taken
            await asyncio.sleep(0.25)
    return before


def test_a_client_that_does_not_read_pauses_its_upstream_and_gets_everything_later(
    stores: Stores, tmp_path: Path
) -> None:
    async def main() -> None:
        blocks = 50 * MIB // len(BLOCK)
        torrent = Torrent(blocks)
        async with relaying(stores, tmp_path, torrent) as rig:
            caller = await rig.call(rig.request(STREAM))
            stop_reading(caller)
            # What is under way lies in the kernel's four socket buffers, and less than 1 MiB of it with us.
            assert await standstill(torrent) < 16 * MIB
            assert [] == rig.events()
            caller.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert 200 == (await caller.head()).status
            size = 0
            while piece := await caller.chunk():
                size += len(piece)
            assert blocks * len(TEXT) + len(USED + DONE) == size
            assert REPORTED == outcome(await rig.event())

    run(main)


@pytest.mark.parametrize("drain", [False, True])
def test_a_client_that_takes_nothing_is_cut_off_and_its_upstream_let_go_or_drained(
    stores: Stores, tmp_path: Path, drain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        torrent = Torrent(24 * MIB // len(BLOCK))
        async with relaying(stores, tmp_path, torrent, drain=drain, send_timeout_s=0.2) as rig:
            caller = await rig.call(rig.request(STREAM))
            stop_reading(caller)
            recorded = await rig.event()
            assert (200, False) == (recorded.status, recorded.failed)
            assert ("reported" if drain else "estimated") == recorded.usage_source
            await until(rig.settled)
            if not drain:
                await asyncio.wait_for(torrent.dropped.wait(), 5)
        told = [record.message for record in caplog.records if record.name.startswith("tokenboard")]
        assert ([] if drain else ["a client stopped reading, its answer is cut"]) == told

    run(main)


def test_a_client_that_reads_slowly_is_not_cut_off(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        torrent = Torrent(24 * MIB // len(BLOCK))
        async with relaying(stores, tmp_path, torrent, send_timeout_s=0.5) as rig:
            caller = await rig.call(rig.request(STREAM))
            began = asyncio.get_running_loop().time()
            read = 0
            while piece := await caller.reader.read(MIB):
                read += len(piece)
                if piece.endswith(b"0\r\n\r\n"):
                    break
                await asyncio.sleep(0.06)
            assert read > 24 * MIB - len(BLOCK)
            assert asyncio.get_running_loop().time() - began > 0.5
            assert REPORTED == outcome(await rig.event())

    run(main)


def test_an_upstream_that_pauses_is_no_fault_of_the_client(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(STREAM_HEAD + chunk(FIRST), chunk(USED + DONE) + chunk(b""))
        stage.play(0)
        async with relaying(stores, tmp_path, stage, send_timeout_s=0.05) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            await caller.chunk()
            await asyncio.sleep(0.3)
            stage.play(1)
            assert USED + DONE == await caller.chunk()
            assert b"" == await caller.chunk()

    run(main)


def test_draining_ends_after_its_time(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        dropped = asyncio.Event()

        async def endless(peer: Peer) -> None:
            await peer.hear()
            try:
                await peer.say(STREAM_HEAD)
                while True:
                    await peer.say(chunk(FIRST))
                    await asyncio.sleep(0.01)
            finally:
                dropped.set()

        async with relaying(stores, tmp_path, endless, drain=True, drain_s=0.2) as rig:
            caller = await rig.call(rig.request(STREAM))
            await caller.head()
            await caller.chunk()
            caller.leave()
            await asyncio.sleep(0.1)
            assert [] == rig.events()
            recorded = await rig.event()
            assert (200, False, "estimated") == (recorded.status, recorded.failed, recorded.usage_source)
            await asyncio.wait_for(dropped.wait(), 5)

    run(main)


# -- the client's end itself, in front of any server


class Wire:
    """A server's end of one request that notes what is written, and takes no second piece when it is `held_up`."""

    def __init__(self, *, held_up: bool = False) -> None:
        self.length: int | None = 0
        self.gone = False
        self.on_leave: Callable[[], object] | None = None
        self.read_to_end = True
        self.written: list[tuple[bytes, bool]] = []
        self._held_up = held_up

    @property
    def head(self) -> Head:
        raise AssertionError("nothing is read here")

    def whole_body(self) -> bytes | None:
        return b""

    async def read(self) -> bytes | None:
        return b""

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        raise AssertionError("no head is sent here")

    def write(self, body: bytes, *, last: bool) -> bool:
        self.written.append((body, last))
        return self._held_up

    async def writable(self) -> None:
        await asyncio.get_running_loop().create_future()


def test_a_long_piece_is_handed_over_in_parts_the_last_of_them_marked() -> None:
    async def main() -> None:
        for size in (0, 1, LONGEST_PIECE, LONGEST_PIECE + 1, 3 * LONGEST_PIECE):
            for last in (False, True):
                wire = Wire()
                body = bytes(size)
                await Client(wire).send_body(body, last=last)
                assert body == b"".join(piece for piece, _ in wire.written)
                assert max(1, -(-size // LONGEST_PIECE)) == len(wire.written)
                assert [*[False] * (len(wire.written) - 1), last] == [is_last for _, is_last in wire.written]

    run(main)


def test_a_stalled_send_is_told_apart_from_a_cancelled_one() -> None:
    async def main() -> None:
        ends: list[tuple[type[BaseException], bool]] = []

        async def answer(seconds: float) -> None:
            client = Client(Wire(held_up=True), seconds)
            try:
                await client.send_body(b"x", last=False)
            except (ClientStalled, asyncio.CancelledError) as error:
                ends.append((type(error), client.left))

        loop = asyncio.get_running_loop()
        InlineTask(answer(0.05), loop).step()
        await until(lambda: bool(ends))
        errand = InlineTask(answer(60.0), loop)
        errand.step()
        errand.cancel()
        await until(errand.done)
        assert [(ClientStalled, True), (asyncio.CancelledError, False)] == ends

    run(main)
