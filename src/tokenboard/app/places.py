"""Paths in the data folder that board and gateways share."""

from pathlib import Path


def run_folder(data: Path) -> Path:
    """Return the folder of the sockets of running processes."""
    return data / "run"


def board_socket(data: Path) -> Path:
    """Return the board's socket, where gateways reach it."""
    return run_folder(data) / "board.sock"


def gateways_folder(data: Path) -> Path:
    """Return the folder of the gateways' own sockets, where the board reaches them."""
    return run_folder(data) / "gateways"


def snapshot_of(data: Path) -> Path:
    """Return the file in which the board publishes what gateways need to know."""
    return data / "snapshot"


def remote_snapshot_of(data: Path, name: str) -> Path:
    """Return the file in which a gateway keeps what a board on another machine has published."""
    return data / f"{name}.snapshot"
