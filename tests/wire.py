"""A TCP proxy of ours between a program and a server, which can go silent, or cut what it has."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STEP_S = 0.02


class Wire:
    """Passes bytes between clients and a server's Unix socket. While `silent` it takes connections, and no byte on."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._silent = threading.Event()
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self.swallow_after = b""
        """Once these bytes have gone to the server, nothing comes back any more."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def go_silent(self) -> None:
        with self._turn:
            self._silent.set()

    def speak(self) -> None:
        """Pass on what was held back, and all to come."""
        self._silent.clear()

    def cut(self) -> None:
        """Close all connections there are."""
        with self._turn:
            for pair in self._pairs:
                for end in pair:
                    end.close()
            self._pairs.clear()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self.cut()
        self._listener.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._turn:
                ends = {end: other for pair in self._pairs for end, other in (pair, pair[::-1])}
                silent = self._silent.is_set()
                clients = {client for client, _ in self._pairs}
            waiting = [self._listener, *(() if silent else ends)]
            for end in select.select(waiting, [], [], _STEP_S)[0]:
                if end is self._listener:
                    self._take()
                    continue
                with self._turn:
                    if not self._silent.is_set() and end.fileno() >= 0:
                        self._pass(end, ends[end], to_server=end in clients)

    def _take(self) -> None:
        client = self._listener.accept()[0]
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._server)
        except OSError:
            client.close()
            server.close()
            return
        with self._turn:
            self._pairs.append((client, server))

    def _pass(self, end: socket.socket, other: socket.socket, *, to_server: bool) -> None:
        content = b""
        with suppress(OSError):
            content = end.recv(65_536)
            other.sendall(content)
        if not content:
            self._pairs = [pair for pair in self._pairs if end not in pair]
            end.close()
            other.close()
        elif to_server and self.swallow_after and self.swallow_after in content:
            self._silent.set()


@contextmanager
def wire_to(server: str) -> Iterator[Wire]:
    """Run a proxy to a Unix socket until the end of the block."""
    wire = Wire(server)
    try:
        yield wire
    finally:
        wire.end()
