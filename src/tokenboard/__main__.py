"""``python -m tokenboard`` and the command ``tokenboard``."""

from tokenboard.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
