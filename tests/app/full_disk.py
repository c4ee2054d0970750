"""Start a copy of a board on a disk without a free byte, and print what it answers; the disk is our own.

unshare -rm python -m tests.app.full_disk FOLDER KEY MOUNT
"""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.app.reads import reads
from tests.board import running_board


def main() -> None:
    folder, key, mount = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(mount)], check=True)
    shutil.copytree(folder, mount / "data", symlinks=True)
    with contextlib.suppress(OSError), (mount / "filling").open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(4096))
    with running_board(mount / "data") as board:
        print(json.dumps(reads(board.url, key)))


if __name__ == "__main__":
    main()
