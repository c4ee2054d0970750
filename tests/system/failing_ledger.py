"""``tokenboard``, with a ledger that takes no insert while the file named by FAIL_WHILE exists."""

import os
from pathlib import Path
from typing import Any

from tokenboard.cli import main
from tokenboard.ledger import Ledger, LedgerUnavailable

_insert = Ledger.insert


def insert_unless_told_to_fail(ledger: Ledger, *arguments: Any, **named: Any) -> None:
    if Path(os.environ["FAIL_WHILE"]).exists():
        raise LedgerUnavailable("the ledger did not answer: injected by a test")
    _insert(ledger, *arguments, **named)


if __name__ == "__main__":
    Ledger.insert = insert_unless_told_to_fail  # type: ignore[method-assign, assignment]
    main()
