"""Debian's Chromium: where it is, and how it is started."""

import os
import shutil

PATH_VARIABLE = "TOKENBOARD_TEST_CHROMIUM"
ABSENT = f"needs Chromium: `apt-get install chromium`, or {PATH_VARIABLE}=<path> of one"


def find_chromium() -> str | None:
    """Return the path of the browser that tests drive, None when there is none."""
    return os.environ.get(PATH_VARIABLE) or shutil.which("chromium")


def arguments() -> list[str]:
    """Return how it is started: without its sandbox as root, and knowing no host but this one."""
    known = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    return [*known, "--no-sandbox"] if os.geteuid() == 0 else known
