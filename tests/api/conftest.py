"""An operator of the session's board, and rigs in this process for the routes of data."""

import uuid

import httpx
import pytest

from tests.analytics.conftest import ledger, quiet, rig
from tests.api.operator import Operator
from tests.board import BoardProcess

__all__ = ["ledger", "operator", "quiet", "rig"]


@pytest.fixture
def operator(board: BoardProcess, client: httpx.Client) -> Operator:
    return Operator(board, client, f"{uuid.uuid4().hex[:12]}.example")
