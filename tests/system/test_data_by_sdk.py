"""OpenRouter's SDK reads the datasets, and tells their errors as its own."""

from datetime import timedelta
from typing import Any

import httpx
import openrouter
import pytest
from openrouter import errors

from tests.board import BoardProcess, today
from tests.system.feed import event, feed


def test_the_sdk_reads_both_datasets(
    openrouter_client: openrouter.OpenRouter, client: httpx.Client, board: BoardProcess
) -> None:
    day = today() - timedelta(days=300)  # where no other test has usage
    uses = [use for n in range(1, 4) for use in event(day, f"https://data-by-sdk-{n}.example", n, title=f"SDK {n}")]
    feed(client, board, [use | {"model": "sdk-author/sdk-model"} for use in uses])
    dates: Any = {"start_date": str(day), "end_date": str(day)}
    page = openrouter_client.datasets.get_app_rankings(**dates, limit=2)
    assert page is not None
    rows = [(row.rank, row.app_name, row.total_tokens) for row in page.result.data]
    assert [(1, "SDK 3", "3"), (2, "SDK 2", "2")] == rows
    monday, first_of_month = day - timedelta(days=day.weekday()), day.replace(day=1)
    periods: Any = {"day": day, "week": monday, "month": first_of_month}
    for period, first in periods.items():
        daily = openrouter_client.datasets.get_rankings_daily(**dates, period=period)
        found = [(row.date_, row.model_permaslug, row.total_tokens) for row in daily.data]
        assert [(str(first), "sdk-author/sdk-model", "6")] == found
        assert ("v1", str(day)) == (daily.meta.version, daily.meta.end_date)


def test_the_sdk_tells_a_bad_parameter_as_its_own_error(openrouter_client: openrouter.OpenRouter) -> None:
    never: Any = "year"
    with pytest.raises(errors.BadRequestResponseError, match="period"):
        openrouter_client.datasets.get_rankings_daily(period=never)
    with pytest.raises(errors.BadRequestResponseError, match="limit"):
        openrouter_client.datasets.get_app_rankings(limit=500)
