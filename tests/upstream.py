"""A small upstream that speaks the OpenAI dialect, for tests: what it says is scripted, what it was asked is kept."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """One request as it reached the upstream; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Script:
    """What the upstream answers: ``body``, to a stream ``events``, or else a chat completion made of the rest.

    ``pause`` holds a stream back before its last events until it is set; ``break_after`` so many, it breaks off.
    """

    status: int = 200
    body: bytes | None = None
    events: Sequence[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "one two three"
    prompt_tokens: int = 7
    completion_tokens: int = 3
    with_usage: bool = True
    break_after: int | None = None
    pause: threading.Event | None = None


class OpenAiUpstream:
    """Answers ``POST`` to any path, and ``GET /v1/models``."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.script = Script()
        self.asked: list[Asked] = []
        self.broken_pipes = 0

    def usage(self) -> dict[str, int]:
        script = self.script
        total = script.prompt_tokens + script.completion_tokens
        return {
            "prompt_tokens": script.prompt_tokens,
            "completion_tokens": script.completion_tokens,
            "total_tokens": total,
        }


@contextmanager
def openai_upstream() -> Iterator[OpenAiUpstream]:
    """Run an upstream on a free port of 127.0.0.1, until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    upstream = OpenAiUpstream(server.server_address[1])
    server.upstream = upstream  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        if upstream.script.pause:
            upstream.script.pause.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._json(
            200, {"object": "list", "data": [{"id": "gpt-test", "object": "model", "created": 1, "owned_by": "t"}]}
        )

    def do_POST(self) -> None:
        upstream: OpenAiUpstream = self.server.upstream  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        upstream.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        script = upstream.script
        try:
            if script.events is not None and body.get("stream"):
                self._relay(script, script.events)
            elif script.body is not None:
                self._bytes(script.status, script.body)
            elif body.get("stream"):
                self._stream(upstream, body)
            else:
                self._json(script.status, self._completion(upstream, body))
        except (BrokenPipeError, ConnectionResetError):
            upstream.broken_pipes += 1
            self.close_connection = True

    def _completion(self, upstream: OpenAiUpstream, body: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": upstream.script.text}
        answer: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body.get("model"),
            "system_fingerprint": None,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        }
        return answer | ({"usage": upstream.usage()} if upstream.script.with_usage else {})

    def _relay(self, script: Script, events: Sequence[bytes]) -> None:
        self._begin_stream(script)
        for position, event in enumerate(events):
            if script.break_after == position:
                self.close_connection = True
                return
            if script.pause is not None and position == len(events) - 1:
                script.pause.wait(20)
            self._chunk(event)
        self._chunk(b"")

    def _begin_stream(self, script: Script) -> None:
        self.send_response(script.status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in script.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, upstream: OpenAiUpstream, body: dict[str, Any]) -> None:
        script = upstream.script
        self._begin_stream(script)
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body.get("model")}
        for position, word in enumerate(script.text.split(" ")):
            if script.break_after is not None and position >= script.break_after:
                self.close_connection = True
                return
            delta = {"index": 0, "delta": {"role": "assistant", "content": word + " "}, "finish_reason": None}
            self._event(head | {"choices": [delta]})
        if script.pause is not None:
            script.pause.wait(20)
        self._event(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if script.with_usage and (body.get("stream_options") or {}).get("include_usage"):
            self._event(head | {"choices": [], "usage": upstream.usage()})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _json(self, status: int, value: Any) -> None:
        self._bytes(status, json.dumps(value).encode())

    def _bytes(self, status: int, body: bytes) -> None:
        upstream: OpenAiUpstream = self.server.upstream  # type: ignore[attr-defined]
        self.send_response(status)
        headers = {"Content-Type": "application/json"} | upstream.script.headers
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass
