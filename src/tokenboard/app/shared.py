"""The store that several boards share, if the settings name one."""

from pathlib import Path
from typing import TYPE_CHECKING

from tokenboard.app.passwords import read_password
from tokenboard.config import ConfigError, Settings
from tokenboard.observability import Counters

if TYPE_CHECKING:
    from tokenboard.shared import SharedStore

_NO_CLIENT = (
    "[shared] redis needs the redis package, which is not installed; run `pip install 'tokenboard[redis]'`, or leave "
    "it out: each board then counts by itself"
)


def open_shared(settings: Settings, data: Path, counters: Counters) -> "SharedStore | None":
    """Return the shared store, not yet connected; None without `[shared] redis`.

    Raises:
        ConfigError: the client's package is missing, the password is not where the settings say, or the URL is none.

    """
    given = settings.shared
    if not given.redis:
        return None
    try:
        # Only boards that share something need the package.
        from tokenboard.shared import SharedStore  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise ConfigError(_NO_CLIENT) from missing
    password = read_password("shared", data, variable=given.password_env, file=given.password_file)
    try:
        return SharedStore(
            given.redis, password=password, prefix=given.prefix, timeout_s=given.timeout_s, counters=counters
        )
    except ValueError as error:
        # Its text may hold a piece of the URL.
        raise ConfigError(
            "[shared] redis is no URL of a Redis server; write redis://HOST:PORT/DB, rediss:// or unix:///SOCKET"
        ) from error
