"""The roles of processes: their names, the names of their listeners, and their local URLs."""

import socket
from typing import Final

BOARD: Final = "board"
"""The name of the board's listener for requests that gateways relay."""

PUBLIC: Final = "public"
CONTROL: Final = "control"
"""The names of a gateway's listeners: the public one, and the board's."""


def gateway_name(number: int) -> str:
    """Return the name of a data folder's gateway, and of its journal; the first is 1."""
    return f"gateway-{number}"


FIRST_GATEWAY: Final = gateway_name(1)
"""The name of the only gateway where everything is one process."""


def local_url(listener: socket.socket, host: str) -> str:
    """Return the URL of a listener for clients on this machine."""
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
