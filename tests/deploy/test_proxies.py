"""nginx and Caddy as deploy/ configures them, in front of a server: what goes through, whole and at once."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.board import BoardProcess, wait_for
from tests.upstream import OpenAiUpstream

DEPLOY = Path(__file__).parent.parent.parent / "deploy"


def program(name: str) -> str | None:
    return os.environ.get(f"TOKENBOARD_TEST_{name.upper()}") or shutil.which(name)


@contextmanager
def nginx(folder: Path, board: str) -> Iterator[str]:
    """Run nginx by our file, its names, ports and certificate put in their places."""
    certificate(folder)
    port, plain = free_port(), free_port()
    text = (DEPLOY / "nginx" / "tokenboard.conf").read_text()
    for old, new in (
        (r"server 127\.0\.0\.1:8787;", f"server {board};"),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        (r" +listen \[::\]:.*\n", ""),
        (r"board\.example;", "localhost;"),
        (r"/etc/ssl/board\.example/fullchain\.pem", f"{folder}/cert.pem"),
        (r"/etc/ssl/board\.example/privkey\.pem", f"{folder}/key.pem"),
    ):
        text, times = re.subn(old, new, text)
        assert times, old
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;\n"
        f"events {{}}\nhttp {{\naccess_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n{text}\n}}\n"
    )
    with running([str(program("nginx")), "-p", str(folder), "-c", str(folder / "nginx.conf")], port):
        yield f"https://localhost:{port}"


@contextmanager
def caddy(folder: Path, board: str) -> Iterator[str]:
    """Run Caddy by our file, its name and the board's address put in their places, without TLS."""
    port = free_port()
    text = (DEPLOY / "caddy" / "Caddyfile").read_text()
    for old, new in ((r"(?m)^board\.example \{", f"http://localhost:{port} {{"), (r"127\.0\.0\.1:8787", board)):
        text, times = re.subn(old, new, text)
        assert times, old
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    arguments = [str(program("caddy")), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with running(arguments, port, HOME=str(folder), XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder)):
        yield f"http://localhost:{port}"


@contextmanager
def running(arguments: list[str], port: int, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | environment
    )
    try:
        wait_for(lambda: _listens(port))
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, tmp_path: Path, board: BoardProcess) -> Iterator[httpx.Client]:
    if program(request.param.__name__) is None:
        pytest.skip(f"no {request.param.__name__} here; install it, or name one by TOKENBOARD_TEST_*")
    with request.param(tmp_path, f"127.0.0.1:{board.port}") as url:
        trusted = ssl.create_default_context()
        if (tmp_path / "cert.pem").exists():
            trusted.load_verify_locations(tmp_path / "cert.pem")
        with httpx.Client(base_url=url, verify=trusted, timeout=20) as client:
            yield client


def test_answers_and_prompts_go_through_a_proxy_and_count_for_their_app(
    proxy: httpx.Client, board: BoardProcess, key: str
) -> None:
    headers = {"Authorization": f"Bearer {key}", "HTTP-Referer": "https://behind-a-proxy.example"}
    answer = proxy.post("/api/v1/chat/completions", json=chat("word " * 15_000), headers=headers)
    assert (200, 15_000) == (answer.status_code, answer.json()["usage"]["prompt_tokens"])
    # What is too long is for tokenboard to refuse, in its own words.
    refused = proxy.post("/api/v1/chat/completions", json=chat("word " * 400_000), headers=headers)
    assert (413, 413) == (refused.status_code, refused.json()["error"]["code"])
    assert 200 == proxy.get("/rankings").status_code
    board.wait_until_counted()
    found = proxy.get("/api/v1/apps/lookup", params={"url": "https://behind-a-proxy.example"}, headers=headers)
    assert 200 == found.status_code, found.text


def test_a_stream_goes_through_a_proxy_as_it_comes(proxy: httpx.Client, key: str, upstream: OpenAiUpstream) -> None:
    upstream.script.pause = threading.Event()
    asked = chat("stream it") | {"model": "scripted/model", "stream": True}
    headers = {"Authorization": f"Bearer {key}"}
    with proxy.stream("POST", "/api/v1/chat/completions", json=asked, headers=headers) as stream:
        pieces = stream.iter_text()
        first = next(pieces)  # the upstream has not come to its end, and does not before we say so
        upstream.script.pause.set()
        rest = "".join(pieces)
    assert (200, False, True) == (stream.status_code, "[DONE]" in first, rest.rstrip().endswith("data: [DONE]"))


def chat(prompt: str) -> dict[str, Any]:
    return {"model": "tokenboard/echo", "messages": [{"role": "user", "content": prompt}]}


def certificate(folder: Path) -> None:
    """Make a certificate for localhost, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    made = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(made, check=True, capture_output=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
