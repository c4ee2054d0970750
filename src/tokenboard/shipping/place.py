"""Where a journal's folder says that the journal is shipped, and who must then leave it alone."""

from pathlib import Path
from typing import Final

from tokenboard.journal import journals_in

SHIPPING: Final = "shipping.json"
"""The file, in a journal's folder, in which its gateway notes what which board has."""


class ShippingError(Exception):
    """A journal cannot be shipped, or not by this process; ``hint`` tells the operator how to go on."""

    hint = "See docs/remote-gateways.md."

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint or self.hint


def refuse_shipped(spool: Path) -> None:
    """Make sure that no journal below a spool's folder is shipped to another machine: a board here would count it too.

    Raises:
        ShippingError: one is.

    """
    for journal in journals_in(spool):
        if (journal / SHIPPING).exists():
            raise ShippingError(
                f"{journal} is the journal of a gateway that ships its usage to a board on another machine",
                "Use another data folder for a board: this one would count that usage once more.",
            )
