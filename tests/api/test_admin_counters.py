"""What the server counts, an operator reads: over HTTP with an admin key, or by a command on its machine."""

import httpx

from tests.api.operator import Operator
from tests.board import BoardProcess


def test_recorded_usage_is_counted_where_an_operator_looks(operator: Operator) -> None:
    before = operator.ask("GET", "/counters").get("recorded.usage_api", 0)
    operator.use(f"https://{operator.site}")
    assert before + 1 <= operator.ask("GET", "/counters")["recorded.usage_api"]


def test_counters_need_an_admin_key(board: BoardProcess) -> None:
    assert 401 == httpx.get(f"{board.url}/api/v1/admin/counters", timeout=30).status_code
