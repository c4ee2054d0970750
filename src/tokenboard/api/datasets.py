"""``GET /datasets/…``: app rankings and daily rankings of models, compatible with OpenRouter's Data API."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from fastapi import APIRouter, Request, Response

from tokenboard.analytics import COMPLETED, DailyRankings, Period
from tokenboard.api.delivery import Delivery
from tokenboard.api.formats import Payload
from tokenboard.api.ranking_payload import meta_of, ranking_payload, table_meta
from tokenboard.api.services import Services
from tokenboard.ledger import ANY_KIND, ContextBucket, Output, RequestKind, ToolUse
from tokenboard.query import Parameters
from tokenboard.rankings import parse_extras, parse_question
from tokenboard.tables import Column, Kind, Table

MODALITIES: Mapping[str, RequestKind] = MappingProxyType(
    {"text": RequestKind(output=Output.TEXT), "tool_calling": RequestKind(tool_use=ToolUse.CALLED)}
)
"""The values of ``modality`` that are known without looking at a prompt or an answer."""

_CONTENT = "it would need the content of prompts and answers, which this board never looks at."
_NOT_TOLD = MappingProxyType(dict.fromkeys(("category", "language_type"), _CONTENT))
_MODALITIES_NOT_TOLD = MappingProxyType(dict.fromkeys(("image", "image_output", "audio"), _CONTENT))
_DAILY = (Column("date", Kind.DAY), Column("model_permaslug", Kind.TEXT), Column("total_tokens", Kind.BIG))


def router(services: Services, delivery: Delivery) -> APIRouter:
    """Return the routes of the datasets."""
    routes = APIRouter()

    @routes.get("/datasets/app-rankings")
    async def app_rankings(request: Request) -> Response:
        await delivery.admit(request)
        given = request.query_params.multi_items()
        question = parse_question(given, floor=services.data.floor, today=services.analytics.today)
        extras = parse_extras(given)
        return await delivery.send(
            request,
            ("app-rankings", question, extras),
            lambda: ranking_payload(services.rankings.answer(question, extras), question, extras),
        )

    @routes.get("/datasets/rankings-daily")
    async def rankings_daily(request: Request) -> Response:
        await delivery.admit(request)
        names = ("start_date", "end_date", "period", "modality", "context_bucket")
        given = Parameters(request.query_params.multi_items(), names, refused=_NOT_TOLD)
        window = given.window(floor=services.data.floor, today=services.analytics.today)
        period = given.choice("period", Period.DAY, COMPLETED)
        kind = _kind(given)
        return await delivery.send(
            request,
            ("rankings-daily", window, period, kind),
            lambda: _daily_payload(services.analytics.rankings_daily(window, period, kind), period, kind),
        )

    return routes


def _kind(given: Parameters) -> RequestKind:
    modality = given.filter("modality", MODALITIES, refused=_MODALITIES_NOT_TOLD)
    bucket = given.filter("context_bucket", [each.value for each in ContextBucket])
    kind = ANY_KIND if modality is None else MODALITIES[modality]
    return kind if bucket is None else replace(kind, context_bucket=ContextBucket(bucket))


def _daily_payload(answer: DailyRankings, period: Period, kind: RequestKind) -> Payload:
    meta = meta_of(answer.window, answer.as_of)
    if kind != ANY_KIND:
        meta["unknown_tokens"] = str(answer.unknown_tokens)
    return Payload(
        name=f"rankings-daily_{period}_{answer.window.start}_{answer.window.end}",
        data=[
            {"date": row.day.isoformat(), "model_permaslug": row.model, "total_tokens": str(row.tokens)}
            for row in answer.rows
        ],
        meta=meta,
        table=Table(_DAILY, [(row.day, row.model, row.tokens) for row in answer.rows], table_meta(meta)),
    )
