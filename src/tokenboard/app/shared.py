"""The store that several boards share, if the settings name one."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tokenboard.config import ConfigError, Settings
from tokenboard.config.settings import Shared
from tokenboard.observability import Counters

if TYPE_CHECKING:
    from tokenboard.shared import SharedStore

_NO_CLIENT = "[shared] redis needs the redis package, which is not installed"
_HINT = (
    "Install it with `pip install 'tokenboard[redis]'`, or leave [shared] redis out: boards then count each by itself."
)


def open_shared(settings: Settings, counters: Counters) -> "SharedStore | None":
    """Return the shared store, not yet connected; None without `[shared] redis`.

    Raises:
        ConfigError: the client's package is missing, the password's variable is not set, or the URL is none.

    """
    given = settings.shared
    if not given.redis:
        return None
    try:
        # Only boards that share something need the package.
        from tokenboard.shared import SharedStore  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise ConfigError(_NO_CLIENT, _HINT) from missing
    try:
        return SharedStore(
            given.redis, password=_password(given), prefix=given.prefix, timeout_s=given.timeout_s, counters=counters
        )
    except ValueError as error:
        # Its text may hold a piece of the URL.
        raise ConfigError(
            "[shared] redis is no URL of a Redis server", "Write redis://HOST:PORT/DB, rediss:// or unix:///SOCKET."
        ) from error


def _password(given: Shared) -> str | None:
    if given.password_file:
        try:
            return Path(given.password_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"[shared] password_file {given.password_file} cannot be read: {error}",
                "Give it to the account that tokenboard runs as, or name another file.",
            ) from error
    if not given.password_env:
        return None
    password = os.environ.get(given.password_env)
    if not password:
        raise ConfigError(
            f"[shared]: the environment variable {given.password_env} is not set",
            "Export it with the password of the Redis server, or leave password_env out when there is none.",
        )
    return password
