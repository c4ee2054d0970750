"""What twins say of their figures, in the words of the Data API."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tokenboard.query import Window
from tokenboard.rankings import Totals
from tokenboard.tables import instant
from tokenboard.web.request import Span


def of_window(window: Window, as_of: datetime) -> dict[str, str]:
    """Return which days figures are of, and when they were computed."""
    return {"as_of": instant(as_of), "start_date": window.start.isoformat(), "end_date": window.end.isoformat()}


def of_span(span: Span, as_of: datetime) -> dict[str, Any]:
    """Return which days figures are of, by which period, whether all are over, and when they were computed."""
    return {**of_window(span.window, as_of), "period": span.period, "complete": span.complete}


def as_text(values: Iterable[int]) -> list[str]:
    """Return integers that may pass 2**53 as decimal strings."""
    return [str(value) for value in values]


def left_out(totals: Totals) -> dict[str, Any]:
    """Return all traffic of a window and what of it no row shows."""
    return {
        "total_tokens": str(totals.all_traffic.tokens),
        "total_requests": totals.all_traffic.requests,
        "unlisted_tokens": str(totals.unlisted.tokens),
        "unlisted_requests": totals.unlisted.requests,
        "unattributed_tokens": str(totals.unattributed.tokens),
        "unattributed_requests": totals.unattributed.requests,
    }
