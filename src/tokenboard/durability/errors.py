"""The errors of the queues on disk, one small tree."""


class SpoolError(Exception):
    """Base of the spool's errors; ``hint`` tells the operator how to fix it."""

    hint = "See the log of the server for the cause."


class SpoolFull(SpoolError):
    """The spool has reached its limit and takes no new work until the ledger has caught up."""

    hint = "Bring the ledger back (see /readyz), or raise [spool] max_bytes."


class CursorMoved(SpoolError):
    """A journal has been collected further, or less far, than the place to go on from."""

    hint = "Two of one name collect or ship a journal; see that one of them ends."


class SpoolUnavailable(SpoolError):
    """The spool's file cannot be written or read."""

    hint = "Check free disk space and the permissions of the spool folder."

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class SpoolDamaged(SpoolError):
    """The spool's file is not what was last acknowledged: events would silently be lost, or counted twice."""

    hint = (
        "Bring back the files of the spool as they were, board.sqlite-wal and board.sqlite-witness included. If they "
        "are lost, `tokenboard stores accept spool` goes on with what is left."
    )

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint
