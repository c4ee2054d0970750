"""``tokenboard``, whose drain never rests: tests wait for the ledger after nearly every request."""

from tokenboard.cli import main
from tokenboard.drain import drain

if __name__ == "__main__":
    drain.REST = 0.0
    main()
