"""``tokenboard``, with a ledger that completes a batch half a second after the last attempt at it, not fifteen."""

from tokenboard.cli import main
from tokenboard.ledger import Ledger

if __name__ == "__main__":
    defaults = Ledger.__init__.__kwdefaults__
    assert defaults is not None
    defaults["settled_s"] = 0.5
    main()
