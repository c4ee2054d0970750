"""``tokenboard``, where no file may grow past SMALL_FILES bytes: as on a full disk, for every user."""

import os
import resource

from tokenboard.cli import main

if __name__ == "__main__":
    limit = int(os.environ["SMALL_FILES"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    main()
