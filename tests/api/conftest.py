"""An operator of the session's board."""

import uuid

import httpx
import pytest

from tests.api.operator import Operator
from tests.board import BoardProcess


@pytest.fixture
def operator(board: BoardProcess, client: httpx.Client) -> Operator:
    return Operator(board, client, f"{uuid.uuid4().hex[:12]}.example")
