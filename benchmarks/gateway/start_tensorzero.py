"""Start TensorZero's gateway: run by the Python of its own environment, ``SETTINGS ADDRESS``.

It takes a free port; the base URL of its OpenAI dialect is in the file ``ADDRESS`` once it listens, and it serves until
a signal ends the process. The package starts the same gateway behind an OpenAI client, which is left out here.
"""

import signal
import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Serve."""
    gateway = import_module("tensorzero")._start_http_gateway(
        config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
    )
    Path(sys.argv[2]).write_text(gateway.base_url)
    signal.pause()


if __name__ == "__main__":
    main()
