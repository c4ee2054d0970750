"""The connection to a board's ledger, as its settings say."""

import os
from pathlib import Path

from tokenboard.config import ConfigError, Settings
from tokenboard.ledger import Ledger


def connect_ledger(settings: Settings, data: Path) -> Ledger:
    """Return the ledger of a board, its schema as it is.

    Raises:
        ConfigError: the password is not where the settings say.
        LedgerError: the engine cannot be opened, or reached.

    """
    given = settings.ledger
    return Ledger(
        settings.ledger_dsn(data),
        cluster=given.cluster,
        password=_password(settings, data),
        timeout_s=given.timeout_s,
    )


def _password(settings: Settings, data: Path) -> str:
    given = settings.ledger
    if given.password_file:
        file = data / Path(given.password_file).expanduser()
        try:
            return file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"[ledger]: cannot read the password_file {file}: {error}") from error
    if not given.password_env:
        return ""
    # A password read from a file into the environment often ends with a line break.
    password = os.environ.get(given.password_env, "").strip()
    if not password:
        raise ConfigError(f"[ledger]: the environment variable {given.password_env} is not set")
    return password
