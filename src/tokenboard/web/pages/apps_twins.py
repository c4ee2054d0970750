"""What is asked of the marketplace, and its twins: the same rows, exact."""

from dataclasses import dataclass
from typing import Any

from tokenboard.analytics import DirectoryPage, DirectoryRow, Order
from tokenboard.rankings import Totals
from tokenboard.tables import Column, Kind, Table, instant
from tokenboard.web.layout import Query
from tokenboard.web.meta import left_out, of_span
from tokenboard.web.request import Span


@dataclass(frozen=True, slots=True)
class Listed:
    """What is asked of the directory."""

    search: str
    sort: Order
    category: str | None
    subcategory: str | None
    offset: int
    span: Span

    @property
    def query(self) -> Query:
        """The parameters that ask for it; what is the default is left out."""
        return (
            ("q", self.search),
            *self.span.query,
            ("sort", "" if self.sort is Order.POPULAR else self.sort.value),
            ("category", "" if self.subcategory else self.category or ""),
            ("subcategory", self.subcategory or ""),
            ("offset", str(self.offset) if self.offset else ""),
        )

    @property
    def narrowed(self) -> bool:
        """Whether more is asked for than the start of the whole marketplace."""
        return bool(self.search or self.offset or self.category or self.subcategory) or self.sort is not Order.POPULAR


def directory_document(listed: Listed, page: DirectoryPage, totals: Totals) -> dict[str, Any]:
    """Return the JSON twin."""
    return {
        "data": [row_document(row) for row in page.rows],
        "meta": {
            **of_span(listed.span, page.as_of),
            "sort": listed.sort.value,
            "q": listed.search,
            "category": listed.category,
            "subcategory": listed.subcategory,
            "offset": listed.offset,
            "total": page.total,
            **left_out(totals),
        },
    }


def row_document(row: DirectoryRow) -> dict[str, Any]:
    """Return a row of the directory as twins write it."""
    return {
        "app_id": row.app.app_id,
        "name": row.app.name,
        "url": row.app.url,
        "categories": row.app.categories,
        "first_seen": instant(row.app.first_seen),
        "rank": row.rank,
        "total_tokens": str(row.tokens),
        "total_requests": row.requests,
        "growth": row.growth,
    }


def directory_table(listed: Listed, page: DirectoryPage) -> Table:
    """Return the table behind the page."""
    window = page.window
    return Table(
        columns=(
            Column("rank", Kind.COUNT),
            Column("app_id", Kind.COUNT),
            Column("name", Kind.TEXT),
            Column("url", Kind.TEXT),
            Column("categories", Kind.LIST),
            Column("first_seen", Kind.TIME),
            Column("total_tokens", Kind.BIG),
            Column("total_requests", Kind.COUNT),
            Column("growth", Kind.RATIO),
            Column("start_date", Kind.DAY),
            Column("end_date", Kind.DAY),
            Column("as_of", Kind.TIME),
        ),
        rows=[
            (
                row.rank,
                row.app.app_id,
                row.app.name,
                row.app.url,
                row.app.categories,
                row.app.first_seen,
                row.tokens,
                row.requests,
                row.growth,
                window.start,
                window.end,
                page.as_of,
            )
            for row in page.rows
        ],
        meta={
            "as_of": instant(page.as_of),
            "start_date": str(window.start),
            "end_date": str(window.end),
            "sort": listed.sort.value,
        },
    )
