"""The gateways that a board asks: those whose sockets somebody listens at."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenboard.app.places import gateways_folder
from tokenboard.app.supervise import free_names
from tokenboard.control import Gateways


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a data folder with the sockets of a killed gateway, and of one that listens and never answers."""
    made = gateways_folder(tmp_path)
    made.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(made / "gateway-1.sock"))
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(made / "gateway-2.sock"))
        silent.listen()
        yield tmp_path


def test_one_that_does_not_answer_is_away_and_one_that_nobody_runs_any_more_is_none(folder: Path) -> None:
    gateways = Gateways(gateways_folder(folder))
    assert [] == asyncio.run(gateways.states())
    assert ("gateway-2",) == gateways.away


def test_a_new_gateway_has_a_name_that_no_running_one_has(folder: Path) -> None:
    assert ["gateway-1", "gateway-3"] == free_names(folder, 2)
