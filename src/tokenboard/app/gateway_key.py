"""The key by which a gateway on another machine is known to its board."""

import os
from pathlib import Path
from typing import Final

from tokenboard.config import ConfigError
from tokenboard.config.settings import Board

_MAX_KEY: Final = 512


class GatewayKey:
    """The key, from a file or the environment; shown nowhere.

    Raises:
        ConfigError: there is none, or what there is is no key.

    """

    def __init__(self, given: Board, data: Path) -> None:
        self._file = data / Path(given.key_file).expanduser() if given.key_file else None
        self._variable = given.key_env
        self._key = self._read()

    def __call__(self) -> str:
        """Return the key."""
        return self._key

    def refresh(self) -> bool:
        """Read the key anew, as it is refused; return whether it is another one. Blocks.

        Raises:
            ConfigError: it cannot be read; the last one stays.

        """
        before, self._key = self._key, self._read()
        return before != self._key

    def _read(self) -> str:
        if self._file is not None:
            place = f"[board] key_file {self._file}"
            try:
                key = self._file.read_text("ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it holds no key"
                raise ConfigError(f"{place} cannot be read: {reason}") from error
        else:
            place = f"the environment variable {self._variable or '(no name in [board] key_env)'}"
            key = os.environ.get(self._variable, "").strip()
        if not key:
            raise ConfigError(
                f"{place} holds no key; on the board's machine, `tokenboard keys create --label NAME --scopes gateway` "
                "makes one"
            )
        if len(key) > _MAX_KEY or not (key.isascii() and key.isprintable()) or " " in key:
            raise ConfigError(f"{place} holds no key: it is one line of printable ASCII without spaces")
        return key
