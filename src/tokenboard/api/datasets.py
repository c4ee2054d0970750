"""``GET /datasets/app-rankings``: the ranking, compatible with OpenRouter's Data API."""

from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, Request, Response

from tokenboard.api.services import Services
from tokenboard.catalog import Scope
from tokenboard.rankings import Answer, Question, parse_question

VERSION = "v1"
"""Version of the dataset, as in ``meta.version``."""

_encoder = msgspec.json.Encoder()


def router(services: Services) -> APIRouter:
    """Return the routes of the datasets."""
    routes = APIRouter()

    @routes.get("/datasets/app-rankings")
    def app_rankings(request: Request) -> Response:
        services.access.check(request.headers.raw, Scope.DATA)
        today = datetime.fromtimestamp(services.clock_ms() / 1000, UTC).date()
        question = parse_question(request.query_params.multi_items(), floor=services.data.floor, today=today)
        answer = services.rankings.answer(question)
        headers = {"Cache-Control": "private, max-age=60"}
        if services.data.cors_origin:
            headers["Access-Control-Allow-Origin"] = services.data.cors_origin
        return Response(_body(question, answer), headers=headers, media_type="application/json")

    return routes


def _body(question: Question, answer: Answer) -> bytes:
    return _encoder.encode(
        {
            "data": [
                {
                    "app_id": row.app_id,
                    "app_name": row.name,
                    "rank": row.rank,
                    "total_requests": row.requests,
                    "total_tokens": str(row.tokens),
                }
                for row in answer.ranking.rows
            ],
            "meta": {
                "as_of": answer.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "end_date": question.window.end.isoformat(),
                "start_date": question.window.start.isoformat(),
                "version": VERSION,
            },
        }
    )
