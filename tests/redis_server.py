"""A Redis server for tests: Debian's, on a Unix socket of its own, without a file."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as NotConnected

from tests.board import wait_for


def redis_program() -> str | None:
    """Return the program: the one that TOKENBOARD_TEST_REDIS names, else the one on the path."""
    return os.environ.get("TOKENBOARD_TEST_REDIS") or shutil.which("redis-server")


needs_redis = pytest.mark.skipif(
    redis_program() is None, reason="no redis-server: install it, or name one by TOKENBOARD_TEST_REDIS"
)


@dataclass
class RedisServer:
    """``url`` names it; it can be stopped and started again, and then holds nothing."""

    folder: Path
    password: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/redis.sock"

    def client(self) -> Redis:
        return Redis.from_url(self.url, password=self.password or None)

    def start(self) -> None:
        program = redis_program()
        assert program is not None
        arguments = [
            program,
            "--port",
            "0",
            "--unixsocket",
            f"{self.folder}/redis.sock",
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]
        if self.password:
            arguments += ["--requirepass", self.password]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        with self.client() as client:
            wait_for(lambda: _answers(client))

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running_redis(password: str = "") -> Iterator[RedisServer]:
    """Run a server until the end of the block."""
    # A socket's path may be 107 bytes long: pytest's folders are longer.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder), password)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except (NotConnected, BusyLoadingError):
        return False
