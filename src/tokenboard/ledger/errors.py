"""The ledger's errors, one small tree."""


class LedgerError(Exception):
    """Base of the ledger's errors; ``hint`` says how the operator can fix it."""

    hint = "See the log of the server for the cause."


class LedgerUnavailable(LedgerError):
    """The engine did not take a statement; what was being written is still in the spool and will be retried.

    ``within_s`` is how many seconds were waited in vain, None when it failed at once.
    """

    store = "ledger"
    hint = "Check [ledger] dsn, free disk space and the engine's own message; nothing is lost meanwhile."

    def __init__(self, message: str, *, within_s: float | None = None) -> None:
        super().__init__(message)
        self.within_s = within_s


class LedgerOutdated(LedgerError):
    """The ledger's schema is older than this program, or newer."""

    hint = "Run `tokenboard migrate`; if the schema is newer, upgrade tokenboard."
