"""A ClickHouse server for tests: the real engine (chDB) in a process of its own, behind ClickHouse's HTTP interface.

    python -m tests.clickhouse.server FOLDER PORT

What the engine does is real: SQL, tables, views, deduplication, errors. What a server adds is as ClickHouse documents
it: settings and parameters in the URL or a form, compressed bodies both ways, users, error codes in a header.
``ON CLUSTER`` is done here, on the one node; its cluster is called ``c``. ``POST /faults`` takes what is to go wrong
(`Fault` as JSON, a list); the user is ``board``, the password ``s3cret``.
"""

import base64
import email.parser
import email.policy
import gzip
import itertools
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import lz4.frame  # type: ignore[import-untyped]
import zstandard
from clickhouse_connect.driver._backend.models import QueryRuntime
from clickhouse_connect.driver._chdbclient import ChdbClient
from clickhouse_connect.driver.exceptions import ClickHouseError

USER, PASSWORD = "board", "s3cret"
CLUSTER = "c"

_OF_HTTP = frozenset(
    {
        "query", "database", "query_id", "session_id", "session_timeout", "session_check", "wait_end_of_query",
        "compress", "decompress", "enable_http_compression", "buffer_size", "quota_key", "role", "default_format",
        "client_protocol_version", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
        "user", "password",
    }
)  # fmt: skip
_OF_NETWORK = frozenset({"prefer_localhost_replica", "load_balancing"})  # the one shard is in this process
_INSERT = re.compile(rb"INSERT INTO\s+(\S+)\s*(\([^)]*\))?\s*FORMAT\s+(\w+)\s*$", re.IGNORECASE)
_INLINE = re.compile(rb"\A\s*INSERT INTO\s+\S+\s*(?:\([^)]*\))?\s*FORMAT\s+\w+\n", re.IGNORECASE)
_ON_CLUSTER = re.compile(rf" ON CLUSTER '{CLUSTER}'")
_CONFIG = """<clickhouse><tcp_port>9000</tcp_port><macros><shard>1</shard><replica>r1</replica></macros>
<remote_servers><c><shard><internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>9000</port></replica></shard></c></remote_servers></clickhouse>"""


@dataclass
class Fault:
    """What goes wrong with the next ``times`` statements that hold ``match``, after ``skip`` of them.

    ``kind``: ``error`` (``code``, ``message``; nothing done), ``error-after`` (done, and an error all the same),
    ``slow`` (``seconds`` before it is done, whether or not anybody waits still), ``reset`` (nothing done, connection
    reset), ``reset-after`` (done, reset without an answer), ``cut`` (done, reset in the midst of the answer),
    ``silent`` (nothing done, nothing said, for ``seconds``), ``kill`` (this process, while the engine works on it).
    """

    kind: str
    match: str
    times: int = 1
    skip: int = 0
    code: int = 241
    message: str = "injected"
    seconds: float = 0.0


class Engine:
    """The engine, by one handle for each thread that asks; and what it is at work on."""

    def __init__(self, folder: Path) -> None:
        config = folder / "config.xml"
        config.write_text(_CONFIG)
        self._folder = folder
        self._handles = threading.local()
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self.running: dict[int, str] = {}
        self.faults: list[Fault] = []
        self.said: list[str] = []
        self.client()

    def client(self) -> ChdbClient:
        """Return this thread's handle."""
        if not hasattr(self._handles, "client"):
            options = {"config-file": str(self._folder / "config.xml")}
            self._handles.client = ChdbClient(path=str(self._folder / "store"), chdb_options=options)
        client: ChdbClient = self._handles.client
        return client

    def fault(self, statement: str) -> Fault | None:
        """Return what is to go wrong with a statement, and note the statement."""
        statement = statement.replace("`", "")
        with self._lock:
            self.said.append(statement[:400])
            for fault in self.faults:
                if fault.match in statement and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def do(self, statement: bytes, data: bytes, params: dict[str, str]) -> bytes:
        """Do one statement; return the bytes of its answer."""
        settings = {name: value for name, value in params.items() if _is_setting(name)}
        with self._lock:
            number = next(self._numbers)
            self.running[number] = params.get("query_id", "")
        try:
            return self._do(statement, data, settings, params)
        finally:
            with self._lock:
                del self.running[number]

    def _do(self, statement: bytes, data: bytes, settings: dict[str, str], params: dict[str, str]) -> bytes:
        backend = self.client()._backend
        runtime = QueryRuntime(database=params.get("database", "default"), settings=settings, retryable=False)
        if found := _INSERT.match(statement):
            table, columns, form = found[1].decode(), (found[2] or b"").decode(), found[3].decode()
            backend.execute_raw_insert(f"{table} {columns}", None, data, form, None, runtime, None)
            return b""
        text = _ON_CLUSTER.sub("", statement.decode())
        if "system.processes" in text:
            ids = ", ".join(f"'{each}'" for each in self.running.values()) or "''"
            text = re.sub(r"(clusterAllReplicas\('c', )?system\.processes\)?", _table_of(ids), text)
        bound = {name: value for name, value in params.items() if name.startswith("param_")}
        return backend.execute_raw_query(text, bound, None, runtime, None)


def _table_of(ids: str) -> str:
    return f"(SELECT arrayJoin([{ids}]) AS initial_query_id)".replace("\\", "\\\\")


def _is_setting(name: str) -> bool:
    return name not in _OF_HTTP and name not in _OF_NETWORK and not name.startswith("param_")


class Handler(BaseHTTPRequestHandler):
    """ClickHouse's HTTP interface, as far as clickhouse-connect speaks it."""

    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._answer(200, b"Ok.\n")
        else:
            self.do_POST()

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/faults":
            self.engine.faults[:] = [Fault(**fault) for fault in json.loads(body)]
            self._answer(200, b"")
            return
        if self.path == "/said":
            self._answer(200, json.dumps(self.engine.said).encode())
            return
        params = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        params |= self._form(body)
        if "multipart/form-data" in self.headers.get("Content-Type", ""):
            body = b""
        statement = params.get("query", "").encode()
        if not statement:
            inline = _INLINE.match(body)
            statement, body = (inline[0].strip(), body[inline.end() :]) if inline else (body, b"")
        if not self._is_known(params):
            return
        self._with_faults(statement, body, params)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _with_faults(self, statement: bytes, data: bytes, params: dict[str, str]) -> None:
        fault = self.engine.fault(statement.decode(errors="replace"))
        kind = "" if fault is None else fault.kind
        if fault is not None and kind in {"slow", "silent"}:
            self._wait(fault, params)
        if kind in {"reset", "silent"}:
            self._reset()
            return
        if fault is not None and kind == "error":
            self._error(fault.code, fault.message)
            return
        if kind == "kill":
            # While the engine works on it, as near as can be.
            threading.Timer(0.02, os.kill, (os.getpid(), 9)).start()
        try:
            answer = self.engine.do(statement, data, params)
        except ClickHouseError as error:
            self._error(int(getattr(error, "code", 0) or 0), str(error))
            return
        if kind == "reset-after":
            self._reset()
        elif fault is not None and kind == "error-after":
            self._error(fault.code, fault.message)
        else:
            self._answer(200, self._compressed(answer, params), cut=kind == "cut")

    def _wait(self, fault: Fault, params: dict[str, str]) -> None:
        number = -next(self.engine._numbers) - 1
        self.engine.running[number] = params.get("query_id", "")
        try:
            time.sleep(fault.seconds)
        finally:
            del self.engine.running[number]

    def _is_known(self, params: dict[str, str]) -> bool:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(given).decode().partition(":") if kind == "Basic" else ("", "", "")
        if (user, password) != (USER, PASSWORD):
            self._error(516, f"{user}: Authentication failed: password is incorrect, or there is no such user.")
            return False
        if params.get("database", "default") != "default":
            self._error(81, f"Database {params['database']} does not exist")
            return False
        return True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(pieces)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return _decoded(body, self.headers.get("Content-Encoding", ""))

    def _form(self, body: bytes) -> dict[str, str]:
        kind = self.headers.get("Content-Type", "")
        if "multipart/form-data" not in kind:
            return {}
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            f"Content-Type: {kind}\r\n\r\n".encode() + body
        )
        parts = {}
        for part in message.iter_parts():
            value = part.get_payload(decode=True)
            assert isinstance(value, bytes)
            parts[str(part.get_param("name", header="content-disposition"))] = value.decode()
        return parts

    def _compressed(self, answer: bytes, params: dict[str, str]) -> bytes:
        self._encoding = ""
        if params.get("enable_http_compression") == "1" and answer:
            wanted = self.headers.get("Accept-Encoding", "")
            for name, pack in (("zstd", zstandard.compress), ("lz4", lz4.frame.compress), ("gzip", gzip.compress)):
                if name in wanted:
                    self._encoding = name
                    return bytes(pack(answer))
        return answer

    def _error(self, code: int, message: str) -> None:
        text = message if message.startswith("Code:") else f"Code: {code}. DB::Exception: {message} (INJECTED)"
        status = {516: 403, 81: 404, 60: 404, 497: 403, 164: 403, 202: 503}.get(code, 500)
        self._encoding = ""
        self._answer(status, f"{text} (version 26.9.2.1 (official build))\n".encode(), code=code)

    _encoding = ""

    def _answer(self, status: int, body: bytes, *, code: int = 0, cut: bool = False) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-ClickHouse-Summary", "{}")
            self.send_header("X-ClickHouse-Timezone", "UTC")
            if code:
                self.send_header("X-ClickHouse-Exception-Code", str(code))
            if self._encoding and body:
                self.send_header("Content-Encoding", self._encoding)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.wfile.flush()
        except OSError:
            self.close_connection = True  # whoever asked has given up
        if cut:
            self._reset()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "lz4":
        return bytes(lz4.frame.decompress(body))
    if encoding == "zstd":
        return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(body))
    return gzip.decompress(body) if encoding == "gzip" else body


class Server(ThreadingHTTPServer):
    """One thread for each connection, as many as come."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone."""


def main() -> None:
    """Serve until the process is ended; the first line told is the port."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    Handler.engine = Engine(folder)
    server = Server(("127.0.0.1", port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
