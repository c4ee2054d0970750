"""The commands.

Exit code 0: done; 1: it could not be done, said on standard error with a hint; 2: wrong usage; 130: stopped by Ctrl-C.
"""

from tokenboard.cli.main import main

__all__ = ["main"]
