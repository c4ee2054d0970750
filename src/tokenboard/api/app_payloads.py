"""The directory, one app, its usage and a model's apps as payloads."""

from typing import Any

from tokenboard.analytics import (
    AppDetail,
    AppPlacement,
    AppUsage,
    Consumption,
    DirectoryPage,
    DirectoryRow,
    Grain,
    Listing,
    ModelAppRow,
    ModelApps,
)
from tokenboard.api.formats import Payload
from tokenboard.api.ranking_payload import figures_of, meta_of, table_meta
from tokenboard.tables import Column, Kind, Table, instant

_LISTING = (
    Column("app_id", Kind.COUNT),
    Column("name", Kind.TEXT),
    Column("url", Kind.TEXT),
    Column("categories", Kind.LIST),
    Column("first_seen", Kind.TIME),
)
_DIRECTORY = (
    *_LISTING,
    Column("rank", Kind.COUNT),
    Column("total_requests", Kind.COUNT),
    Column("total_tokens", Kind.BIG),
    Column("growth", Kind.RATIO),
)
_MODEL_APPS = (
    *_LISTING,
    Column("rank", Kind.COUNT),
    Column("overall_rank", Kind.COUNT),
    Column("total_requests", Kind.COUNT),
    Column("total_tokens", Kind.BIG),
    Column("share", Kind.RATIO),
)
_CONSUMPTION = (
    Column("total_requests", Kind.COUNT),
    Column("failed_requests", Kind.COUNT),
    Column("prompt_tokens", Kind.BIG),
    Column("completion_tokens", Kind.BIG),
    Column("cached_tokens", Kind.BIG),
    Column("reasoning_tokens", Kind.BIG),
    Column("total_tokens", Kind.BIG),
    Column("cost", Kind.MONEY),
)


def directory_payload(page: DirectoryPage, *, limit: int, offset: int) -> Payload:
    """Return a page of the directory."""
    meta = meta_of(page.window, page.as_of) | {"total": page.total, "limit": limit, "offset": offset}
    rows = [_directory_cells(row) for row in page.rows]
    return _table_sheet(f"apps_{page.window.start}_{page.window.end}", _DIRECTORY, rows, meta)


def app_payload(detail: AppDetail, aliases: tuple[Listing, ...], *, tried: str | None = None) -> Payload:
    """Return one app; ``tried`` is the canonical form of the URL it was looked up by."""
    meta: dict[str, Any] = {"as_of": instant(detail.as_of), "version": "v1", "asked_app_id": detail.asked_id}
    if tried is not None:
        meta["tried"] = tried
    data = _as_object(_LISTING, _listing_cells(detail.app)) | {
        "last_seen": detail.last_day.isoformat() if detail.last_day else None,
        "aliases": [{"app_id": alias.app_id, "name": alias.name, "url": alias.url} for alias in aliases],
    }
    data |= {period.value: _placement(placement) for period, placement in detail.placements.items()}
    return Payload(f"app-{detail.app.app_id}", data, meta)


def usage_payload(usage: AppUsage) -> Payload:
    """Return one app's series."""
    bucket = Column("date", Kind.DAY) if usage.by is Grain.DAY else Column("hour", Kind.TIME)
    columns = (bucket, Column("model", Kind.TEXT), *_CONSUMPTION)
    meta = meta_of(usage.window, usage.as_of) | {
        "app_id": usage.app_id,
        "by": usage.by.value,
        "models": [share.model for share in usage.models if share.model is not None],
        "total": _as_object(_CONSUMPTION, _consumption_cells(usage.total)),
    }
    rows = [
        [point.start.date() if usage.by is Grain.DAY else point.start, point.model, *_consumption_cells(point.figures)]
        for point in usage.points
    ]
    name = f"app-{usage.app_id}-usage_{usage.by}_{usage.window.start}_{usage.window.end}"
    return _table_sheet(name, columns, rows, meta)


def model_apps_payload(answer: ModelApps) -> Payload:
    """Return the top apps of a model."""
    meta = meta_of(answer.window, answer.as_of) | {
        "model": answer.model,
        "listed": answer.listed,
        "totals": {
            "all": figures_of(answer.all_traffic),
            "listed": figures_of(answer.listed_traffic),
            "unlisted": figures_of(answer.unlisted),
            "unattributed": figures_of(answer.unattributed),
        },
    }
    rows = [_model_app_cells(row) for row in answer.rows]
    return _table_sheet(f"model-apps_{answer.window.start}_{answer.window.end}", _MODEL_APPS, rows, meta)


def _table_sheet(name: str, columns: tuple[Column, ...], rows: list[list[Any]], meta: dict[str, Any]) -> Payload:
    data = [_as_object(columns, row) for row in rows]
    return Payload(name, data, meta, Table(columns, rows, table_meta(meta)))


def _as_object(columns: tuple[Column, ...], cells: list[Any]) -> dict[str, Any]:
    return {column.name: _as_value(column.kind, cell) for column, cell in zip(columns, cells, strict=True)}


def _as_value(kind: Kind, cell: Any) -> Any:
    if cell is None:
        return None
    match kind:
        case Kind.BIG:
            return str(cell)
        case Kind.MONEY:
            return f"{cell.normalize():f}"
        case Kind.DAY:
            return cell.isoformat()
        case Kind.TIME:
            return instant(cell)
        case _:
            return cell


def _listing_cells(app: Listing) -> list[Any]:
    return [app.app_id, app.name, app.url, app.categories, app.first_seen]


def _directory_cells(row: DirectoryRow) -> list[Any]:
    return [*_listing_cells(row.app), row.rank, row.requests, row.tokens, row.growth]


def _model_app_cells(row: ModelAppRow) -> list[Any]:
    return [*_listing_cells(row.app), row.rank, row.overall_rank, row.requests, row.tokens, row.share]


def _consumption_cells(figures: Consumption) -> list[Any]:
    return [
        figures.requests,
        figures.failed,
        figures.prompt,
        figures.completion,
        figures.cached,
        figures.reasoning,
        figures.tokens,
        figures.cost,
    ]


def _placement(placement: AppPlacement) -> dict[str, Any]:
    return {
        "start_date": placement.window.start.isoformat(),
        "end_date": placement.window.end.isoformat(),
        "rank": placement.rank,
        "listed": placement.listed,
        "total_requests": placement.requests,
        "total_tokens": str(placement.tokens),
    }
