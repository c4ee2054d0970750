"""The connection to a board's ledger, as its settings say."""

from pathlib import Path

from tokenboard.app.passwords import read_password
from tokenboard.config import Settings
from tokenboard.ledger import Ledger


def connect_ledger(settings: Settings, data: Path) -> Ledger:
    """Return the ledger of a board, its schema as it is.

    Raises:
        ConfigError: the password is not where the settings say.
        LedgerError: the engine cannot be opened, or reached.

    """
    given = settings.ledger
    password = read_password("ledger", data, variable=given.password_env, file=given.password_file)
    return Ledger(
        settings.ledger_dsn(data),
        cluster=given.cluster,
        password=password or "",
        timeout_s=given.timeout_s,
    )
