"""The roles of processes: how they name each other, their listeners, and where they answer."""

import socket
from typing import Final

BOARD: Final = "board"
"""The name of the board's listener, over which gateways pass on what is not theirs."""

PUBLIC: Final = "public"
CONTROL: Final = "control"
"""The names of a gateway's listeners: everybody's, and its board's."""


def gateway_name(number: int) -> str:
    """Return the name of a data folder's gateway, and of its journal; the first is 1."""
    return f"gateway-{number}"


FIRST_GATEWAY: Final = gateway_name(1)
"""The name of the only gateway where everything is one process."""


def local_url(listener: socket.socket, host: str) -> str:
    """Return the URL of a listener on this machine, for who reaches it from here."""
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
