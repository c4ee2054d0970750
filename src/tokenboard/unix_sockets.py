"""Addresses of Unix sockets, also where their paths are longer than an address may be."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LONGEST_ADDRESS: Final = 103
"""Bytes that an address holds on the system that holds the least, less its final NUL (unix(7), ``sun_path``)."""


@contextlib.contextmanager
def unix_address(path: Path) -> Iterator[str]:
    """Give the address to bind or connect a Unix socket to, good within the block.

    A path that is too long is reached through its open folder, where the system has names for open files (Linux).
    Raises OSError when the folder cannot be opened.
    """
    if len(os.fsencode(path)) <= LONGEST_ADDRESS or sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
