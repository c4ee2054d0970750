"""A gateway's line to a board on another machine: its key, its pauses, what it does while nobody answers."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.upstream_server import until
from tokenboard.app.gateway_key import GatewayKey
from tokenboard.app.remote import Backoff, RemoteBoard, far_board, refuse_board_folder
from tokenboard.config import ConfigError, Settings
from tokenboard.config.settings import Board
from tokenboard.control import Snapshot, encode_snapshot, read_snapshot
from tokenboard.journal import JournalWriter
from tokenboard.observability import Counters
from tokenboard.shipping import ShippingError

SNAPSHOT = Snapshot("run", 1, (), browser_referer=False, rules=())


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("tb-first\n")
    return file


def test_the_key_comes_from_a_file_or_a_variable_and_a_new_one_needs_no_restart(
    key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = GatewayKey(Board(key_file="key"), tmp_path)
    assert "tb-first" == key()
    assert not key.refresh()
    key_file.write_text("tb-second")
    assert (True, "tb-second") == (key.refresh(), key())
    monkeypatch.setenv("FAR_KEY", " tb-of-a-variable\n")
    assert "tb-of-a-variable" == GatewayKey(Board(key_env="FAR_KEY"), tmp_path)()


@pytest.mark.parametrize("text", ["", "two words", "tb-\x07", "x" * 513])
def test_what_is_no_key_is_refused_and_never_shown(text: str, key_file: Path, tmp_path: Path) -> None:
    key_file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        GatewayKey(Board(key_file="key"), tmp_path)
    assert not text or text not in str(refused.value)


def test_pauses_double_to_a_quarter_of_a_minute_and_differ() -> None:
    longest, shortest = Backoff(lambda: 1.0), Backoff(lambda: 0.0)
    assert [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0] == [longest.next() for _ in range(8)]
    assert [0.125, 0.25] == [shortest.next(), shortest.next()]
    longest.worked()
    assert 0.25 == longest.next()


@pytest.mark.parametrize(
    ("given", "url", "what"),
    [
        ({"tls_ca_file": "ca.pem"}, "http://board.example", "does not use https"),
        ({"tls_ca_file": "ca.pem"}, "https://board.example", "cannot be used"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, str], url: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=what):
        far_board(Settings(board=Board(**given)), url, tmp_path)


def test_certificates_are_checked_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    checked = far_board(Settings(), "https://board.example/base", tmp_path)
    assert checked.tls is not None
    assert (ssl.CERT_REQUIRED, b"/base", 443) == (checked.tls.verify_mode, checked.base, checked.origin.port)
    trusting = far_board(Settings(board=Board(tls_verify=False)), "https://board.example", tmp_path)
    assert trusting.tls is not None
    assert ssl.CERT_NONE == trusting.tls.verify_mode


def test_the_folder_of_a_board_is_no_gateways(tmp_path: Path) -> None:
    refuse_board_folder(Settings(), tmp_path)
    (tmp_path / "catalog.sqlite").touch()
    with pytest.raises(ShippingError, match="is the folder of a board"):
        refuse_board_folder(Settings(), tmp_path)


# --- with somebody who answers ---------------------------------------------------------------------------------------

Answering = Callable[[str, bytes], tuple[int, bytes]]


@asynccontextmanager
async def board(answer: Answering) -> Any:
    """Run a server that answers each request by its head and body; yield its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next((line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-l")), "0")
        status, body = answer(head, await reader.readexactly(int(length)))
        framing = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
        writer.write(f"HTTP/1.1 {status} Said\r\n{framing}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def gateway(
    folder: Path, url: str, what: Callable[[RemoteBoard, Counters], Awaitable[None]], **given: Any
) -> None:
    """Run a gateway's side of the board at a URL, with an empty journal, and look at it."""
    adopted: list[Snapshot] = []
    counters = Counters()
    file = folder / "gateway-1.snapshot"
    with closing(JournalWriter(folder / "journal", fsync=False, clock_ms=lambda: 1)) as journal:
        remote = RemoteBoard(
            Settings(board=Board(key_file="key", **given)),
            folder,
            url=url,
            name="gateway-1",
            journal=folder / "journal",
            snapshot_file=file,
            adopted=lambda: adopted[-1] if adopted else None,
            catch_up=lambda: adopted.append(read_snapshot(file)),
            committed=journal.committed,
            unready=lambda: None,
            counters=counters,
        )
        remote.start()
        try:
            await what(remote, counters)
        finally:
            await remote.stop()


def test_the_snapshot_is_kept_on_disk_and_the_key_is_read_anew_when_it_is_refused(
    key_file: Path, tmp_path: Path
) -> None:
    asked: list[str] = []

    def answer(head: str, body: bytes) -> tuple[int, bytes]:
        asked.append(head)
        if "Bearer tb-second" not in head:
            key_file.write_text("tb-second")
            return 401, b'{"error": {"message": "Invalid API key"}}'
        if "/snapshot" in head:
            return (204, b"") if b'"tag":""' not in body else (200, encode_snapshot(SNAPSHOT))
        return 200, b'{"outcome": "asked", "writer": "spool", "cursor": null}'

    async def main() -> None:
        async with board(answer) as url:

            async def look(remote: RemoteBoard, counters: Counters) -> None:
                await until(lambda: (tmp_path / "gateway-1.snapshot").exists() and not remote.tell().get("faults"))
                assert counters.read()["board_refused_key"] >= 1
                assert {"url": url, "waiting": 0, "waiting_bytes": 0} == {
                    name: value for name, value in remote.tell().items() if name != "heard_ms"
                }

            await gateway(tmp_path, url, look)

    asyncio.run(main())
    assert SNAPSHOT == read_snapshot(tmp_path / "gateway-1.snapshot")
    assert any(" tb-first" in head for head in asked)


def test_without_a_word_of_the_board_inference_ends_after_the_time_that_is_set_restarts_included(
    key_file: Path, tmp_path: Path
) -> None:
    async def main() -> None:
        async def look(remote: RemoteBoard, counters: Counters) -> None:
            await until(lambda: remote.closed() is not None)
            assert "max_snapshot_age_s" in (remote.closed() or "")
            await until(lambda: counters.read().get("remote_failures.news", 0) > 0)
            assert "no connection" in remote.tell()["faults"]["news"]

        await gateway(tmp_path, "http://127.0.0.1:9", look, max_snapshot_age_s=0.2)

        async def trusting(remote: RemoteBoard, counters: Counters) -> None:
            await until(lambda: counters.read().get("remote_failures.news", 0) > 1)
            assert remote.closed() is None

        await gateway(tmp_path, "http://127.0.0.1:9", trusting)

        heard = tmp_path / "gateway-1.snapshot-heard"
        heard.touch()
        os.utime(heard, (1, 1))

        async def at_once(remote: RemoteBoard, _: Counters) -> None:
            assert remote.closed() is not None

        await gateway(tmp_path, "http://127.0.0.1:9", at_once, max_snapshot_age_s=3_600.0)

    asyncio.run(main())


def test_a_proxys_page_is_no_answer_and_is_told(key_file: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with board(lambda head, body: (502, b"<html>Bad Gateway</html>")) as url:

            async def look(remote: RemoteBoard, counters: Counters) -> None:
                await until(lambda: len(remote.tell().get("faults", {})) == 2)
                assert "status 502: no answer of a board" in remote.tell()["faults"]["usage"]

            await gateway(tmp_path, url, look)

    asyncio.run(main())
