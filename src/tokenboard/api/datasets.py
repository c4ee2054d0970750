"""``GET /datasets/…``: app rankings and daily rankings of models, compatible with OpenRouter's Data API."""

from fastapi import APIRouter, Request, Response

from tokenboard.analytics import COMPLETED, DailyRankings, Period
from tokenboard.api.delivery import Delivery
from tokenboard.api.formats import Sheet
from tokenboard.api.parameters import Parameters
from tokenboard.api.ranking_sheet import meta_of, ranking_sheet, table_meta
from tokenboard.api.services import Services
from tokenboard.rankings import parse_extras, parse_question
from tokenboard.tables import Column, Kind, Table

_DAILY = (Column("date", Kind.DAY), Column("model_permaslug", Kind.TEXT), Column("total_tokens", Kind.BIG))


def router(services: Services, delivery: Delivery) -> APIRouter:
    """Return the routes of the datasets."""
    routes = APIRouter()

    @routes.get("/datasets/app-rankings")
    async def app_rankings(request: Request) -> Response:
        delivery.admit(request)
        given = request.query_params.multi_items()
        question = parse_question(given, floor=services.data.floor, today=services.analytics.today)
        extras = parse_extras(given)
        return await delivery.send(
            request,
            ("app-rankings", question, extras),
            lambda: ranking_sheet(services.rankings.answer(question, extras), question, extras),
        )

    @routes.get("/datasets/rankings-daily")
    async def rankings_daily(request: Request) -> Response:
        delivery.admit(request)
        given = Parameters(request, ("start_date", "end_date", "period"))
        window = given.window(floor=services.data.floor, today=services.analytics.today)
        period = Period(given.choice("period", [each.value for each in COMPLETED], Period.DAY.value))
        return await delivery.send(
            request,
            ("rankings-daily", window, period),
            lambda: _daily_sheet(services.analytics.rankings_daily(window, period), period),
        )

    return routes


def _daily_sheet(answer: DailyRankings, period: Period) -> Sheet:
    meta = meta_of(answer.window, answer.as_of)
    return Sheet(
        name=f"rankings-daily_{period}_{answer.window.start}_{answer.window.end}",
        data=[
            {"date": row.day.isoformat(), "model_permaslug": row.model, "total_tokens": str(row.tokens)}
            for row in answer.rows
        ],
        meta=meta,
        table=Table(_DAILY, [(row.day, row.model, row.tokens) for row in answer.rows], table_meta(meta)),
    )
