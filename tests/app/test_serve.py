"""A real server: its beginning, its end, and what it leaves on the disk."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.board import BoardProcess, running_board, wait_for
from tests.upstream import OpenAiUpstream
from tests.warm import WarmProcess
from tokenboard.app.folder import DataFolder
from tokenboard.app.serve import serve_single
from tokenboard.catalog import Catalog
from tokenboard.config import Settings
from tokenboard.config.settings import Server
from tokenboard.supervisor import ServeError

CONFIG = """
[spool]
fsync = false
[[upstream]]
name = "scripted"
base_url = "{url}"
"""


@pytest.fixture
def config(tmp_path: Path, upstream: OpenAiUpstream) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(CONFIG.format(url=upstream.url))
    return file


def a_key(data: Path) -> str:
    """Make a key as another process would: through the catalog's file."""
    DataFolder(data).create()
    with catalog_of(data) as catalog:
        return catalog.create_key("test", ["inference", "data"], actor="test").secret


def apps_of(data: Path) -> list[str]:
    with catalog_of(data) as catalog:
        return [app.url for app in catalog.apps().apps]


@contextlib.contextmanager
def catalog_of(data: Path) -> Iterator[Catalog]:
    catalog = Catalog.open(f"sqlite:///{data}/catalog.sqlite")
    catalog.migrate()
    yield catalog
    catalog.close()


def chat(stream: bool = False) -> dict[str, object]:
    return {"model": "gpt-test", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_an_open_answer_finish_delivers_its_usage_and_ends_with_0(
    how: signal.Signals, tmp_path: Path, config: Path, upstream: OpenAiUpstream
) -> None:
    upstream.script.pause = threading.Event()
    headers = {"HTTP-Referer": "https://open.example"}
    headers["Authorization"] = f"Bearer {a_key(tmp_path / 'data')}"
    with running_board(tmp_path / "data", config=config) as board:
        with httpx.stream(
            "POST", f"{board.url}/v1/chat/completions", headers=headers, json=chat(stream=True), timeout=30
        ) as answer:
            lines = answer.iter_lines()
            first = next(lines)
            ended = end(board, how)
            wait_for(lambda: refuses(board), explain=board.log)
            upstream.script.pause.set()
            rest = list(lines)
        code = ended()

        assert (0, True) == (code, first.startswith("data: "))
        assert "data: [DONE]" in rest
        assert not (board.data / "server.json").exists()
        assert ["https://open.example"] == [
            app["url"] for app in json.loads(board.run("apps", "list", "--json"))["apps"]
        ]
        assert "error" not in [json.loads(line).get("level") for line in board.log().splitlines() if line[:1] == "{"]


def end(board: BoardProcess, how: signal.Signals) -> "Ended":
    """Send the signal and return what waits for the process's end."""
    process = board._process
    assert process is not None
    process.send_signal(how)
    return Ended(process)


class Ended:
    def __init__(self, process: "subprocess.Popen[bytes] | WarmProcess") -> None:
        self._process = process

    def __call__(self) -> int:
        return self._process.wait(timeout=30)


def refuses(board: BoardProcess) -> bool:
    """Whether new connections are refused."""
    try:
        socket.create_connection(("127.0.0.1", board.port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_second_signal_does_not_wait_for_open_answers(tmp_path: Path, config: Path, upstream: OpenAiUpstream) -> None:
    upstream.script.pause = threading.Event()
    headers = {"Authorization": f"Bearer {a_key(tmp_path / 'data')}"}
    with (
        running_board(tmp_path / "data", config=config) as board,
        contextlib.suppress(httpx.HTTPError),
        httpx.stream(
            "POST", f"{board.url}/v1/chat/completions", headers=headers, json=chat(stream=True), timeout=30
        ) as answer,
    ):
        next(answer.iter_lines())
        end(board, signal.SIGTERM)
        wait_for(lambda: refuses(board), explain=board.log)
        ended = end(board, signal.SIGTERM)
        code = ended()

    assert code == 0


def test_after_kill_9_the_next_server_starts_and_what_was_left_misleads_nobody(tmp_path: Path) -> None:
    board = BoardProcess(tmp_path / "data").start()
    board.kill()
    left = json.loads((board.data / "server.json").read_text())
    made_meanwhile = a_key(board.data)

    with running_board_again(board):
        now = json.loads((board.data / "server.json").read_text())
        answer = httpx.get(f"{board.url}/v1/models", headers={"Authorization": f"Bearer {made_meanwhile}"})

    assert left["pid"] != now["pid"]
    assert 200 == answer.status_code


@contextlib.contextmanager
def running_board_again(board: BoardProcess) -> Iterator[None]:
    board.start()
    try:
        yield
    finally:
        board.stop()


def test_a_second_server_on_the_folder_or_the_port_is_refused_with_a_hint(board: BoardProcess, tmp_path: Path) -> None:
    in_use = serve_to_its_end(board.data, tmp_path)
    port_taken = serve_to_its_end(tmp_path / "other", tmp_path, "--port", str(board.port))

    assert (1, 1) == (in_use.returncode, port_taken.returncode)
    assert ["", ""] == [in_use.stdout, port_taken.stdout]
    assert in_use.stderr.startswith(f"error: a server already runs on {board.data} (process ")
    assert f"error: cannot listen on '127.0.0.1' port {board.port}: Address already in use" in port_taken.stderr
    assert all("\nhint: " in done.stderr for done in (in_use, port_taken))
    assert 200 == httpx.get(f"{board.url}/readyz").status_code


@pytest.mark.parametrize("host", ["256.1.1.1", "nowhere.invalid", "a..b", "x" * 70])
def test_a_host_that_is_none_is_refused_before_any_store_is_opened(host: str, tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")

    with pytest.raises(ServeError, match=rf"^cannot listen on '{host}' port 0: "):
        serve_single(Settings(server=Server(host=host, port=0)), folder, config=None, ready=lambda *_: None)

    assert (["serve.lock", "server.lock", "tmp"], None) == (
        sorted(path.name for path in folder.path.iterdir()),
        folder.running(),
    )


def serve_to_its_end(data: Path, cwd: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a server that is expected to end by itself."""
    board = BoardProcess(data)
    return subprocess.run(
        board.command("serve", *(arguments or ("--port", "0"))),
        capture_output=True,
        text=True,
        cwd=cwd,
        env=board._env(),
        timeout=60,
        check=False,
    )


def test_serve_writes_nothing_outside_its_folder_and_takes_a_free_port_for_0(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("cwd", "home", "temporary", "data")}
    for place in places.values():
        place.mkdir()
    environment = {"HOME": str(places["home"]), "TMPDIR": str(places["temporary"])}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        environment[name] = str(places["home"] / name.lower())
    board = BoardProcess(places["data"], environment=environment)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            board.command("serve", "--port", "0"), stdout=log, stderr=log, cwd=places["cwd"], env=board._env()
        )
        try:
            announced = wait_for(lambda: announcement(places["data"]), 60, (tmp_path / "log").read_text)
            key = a_key(places["data"])
            body = chat() | {"model": "tokenboard/echo"}
            headers = {"Authorization": f"Bearer {key}", "HTTP-Referer": "https://a.example"}
            # Nobody told the server of the key: it finds it by itself.
            models = f"{announced['url']}/v1/models"
            wait_for(lambda: httpx.get(models, headers=headers, timeout=30).status_code == 200)
            answer = httpx.post(f"{announced['url']}/v1/chat/completions", headers=headers, json=body, timeout=30)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=30)

    assert (200, 0) == (answer.status_code, code)
    assert not announced["url"].endswith(":0")
    assert {"cwd": [], "home": [], "temporary": []} == {
        name: list(places[name].rglob("*")) for name in ("cwd", "home", "temporary")
    }
    assert {"data", "log", *places} == {path.name for path in tmp_path.iterdir()}


def announcement(data: Path) -> dict[str, str] | None:
    try:
        return dict(json.loads((data / "server.json").read_text()))
    except (OSError, ValueError):
        return None


def test_a_reader_of_the_first_words_that_has_gone_does_not_end_the_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    board = BoardProcess(data)
    reader, writer = os.pipe()
    os.close(reader)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            board.command("serve", "--port", "0"), stdout=writer, stderr=log, cwd=tmp_path, env=board._env()
        )
        os.close(writer)
        try:
            announced = wait_for(lambda: announcement(data), 60, (tmp_path / "log").read_text)
            alive = httpx.get(f"{announced['url']}/healthz")
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=30)

    assert (200, 0) == (alive.status_code, code)
