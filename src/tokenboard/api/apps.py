"""``GET /apps…`` and ``GET /models/…/apps``: the directory, one app, its usage, who uses a model."""

from fastapi import APIRouter, Request, Response

from tokenboard.analytics import MAX_LIMIT, MAX_MODELS, MAX_SEARCH, Found, Grain, Order
from tokenboard.api.app_payloads import app_payload, directory_payload, model_apps_payload, usage_payload
from tokenboard.api.delivery import Delivery
from tokenboard.api.formats import Payload
from tokenboard.api.services import Services
from tokenboard.problem import Problem
from tokenboard.query import Parameters, parse_number

DEFAULT_LIMIT = 50
MAX_OFFSET = 1_000_000
DEFAULT_MODELS = 8
DEFAULT_MODEL_APPS = 20
MAX_URL = 2_048
MAX_MODEL = 512
"""Longest name of a model, in characters."""

_MAX_APP_ID = 2**31 - 1
_WINDOW = ("start_date", "end_date")
_DIRECTORY = (*_WINDOW, "search", "category", "subcategory", "sort", "limit", "offset")


def router(services: Services, delivery: Delivery) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/apps")
    async def apps(request: Request) -> Response:
        await delivery.admit(request)
        given = Parameters(request.query_params.multi_items(), _DIRECTORY)
        window = given.window(floor=services.data.floor, today=services.analytics.today)
        search = given.text("search", MAX_SEARCH)
        category, subcategory = given.categories()
        sort = given.choice("sort", Order.POPULAR)
        limit = given.number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT)
        offset = given.number("offset", 0, MAX_OFFSET, 0)

        def make() -> Payload:
            page = services.analytics.directory(
                search=search,
                category=category,
                subcategory=subcategory,
                sort=sort,
                window=window,
                limit=limit,
                offset=offset,
            )
            return directory_payload(page, limit=limit, offset=offset)

        question = ("apps", window, search, category, subcategory, sort, limit, offset)
        return await delivery.send(request, question, make)

    @routes.get("/apps/lookup")
    async def look_up(request: Request) -> Response:
        await delivery.admit(request)
        url = Parameters(request.query_params.multi_items(), ("url",)).text("url", MAX_URL, None)

        def make() -> Payload:
            found = services.analytics.lookup(url)
            detail = services.analytics.app(found.app_id) if isinstance(found, Found) else None
            if isinstance(found, Found) and detail is not None:
                return app_payload(detail, services.analytics.aliases(detail.app.app_id), tried=found.tried)
            if isinstance(found, Found):  # hidden since
                raise Problem(404, f"No app with the URL {found.tried} is listed here.")
            raise Problem(404, found.message, metadata={"tried": found.tried, "reason": found.reason})

        return await delivery.send(request, ("lookup", url), make, files=False)

    @routes.get("/apps/{app_id}")
    async def app(request: Request, app_id: str) -> Response:
        await delivery.admit(request)
        number = _app_id(app_id)

        def make() -> Payload:
            detail = services.analytics.app(number)
            if detail is None:
                raise _no_app(number)
            return app_payload(detail, services.analytics.aliases(detail.app.app_id))

        return await delivery.send(request, ("app", number), make, files=False)

    @routes.get("/apps/{app_id}/usage")
    async def app_usage(request: Request, app_id: str) -> Response:
        await delivery.admit(request)
        number = _app_id(app_id)
        given = Parameters(request.query_params.multi_items(), (*_WINDOW, "by", "models"))
        window = given.window(floor=services.data.floor, today=services.analytics.today)
        by = given.choice("by", Grain.DAY)
        models = given.number("models", 0, MAX_MODELS, DEFAULT_MODELS)

        def make() -> Payload:
            usage = services.analytics.usage(number, window, by, models)
            if usage is None:
                raise _no_app(number)
            return usage_payload(usage)

        return await delivery.send(request, ("usage", number, window, by, models), make)

    @routes.get("/models/{author}/{slug:path}/apps")
    async def model_apps(request: Request, author: str, slug: str) -> Response:
        return await apps_of(request, f"{author}/{slug}")

    # Not in the OpenAPI document, whose parameters are the reference service's: there every model has an author.
    @routes.get("/models/{slug}/apps", include_in_schema=False)
    async def model_apps_without_author(request: Request, slug: str) -> Response:
        return await apps_of(request, slug)

    async def apps_of(request: Request, model: str) -> Response:
        await delivery.admit(request)
        given = Parameters(request.query_params.multi_items(), (*_WINDOW, "limit"))
        window = given.window(floor=services.data.floor, today=services.analytics.today)
        limit = given.number("limit", 1, MAX_LIMIT, DEFAULT_MODEL_APPS)

        def make() -> Payload:
            answer = services.analytics.model_apps(model, window, limit) if len(model) <= MAX_MODEL else None
            if answer is None:
                raise Problem(
                    404,
                    f"No usage of the model {model[:100]!r} is known here; GET /datasets/rankings-daily "
                    "names models that are used.",
                )
            return model_apps_payload(answer)

        return await delivery.send(request, ("model-apps", model, window, limit), make)

    return routes


def _app_id(text: str) -> int:
    return parse_number("app_id", text, 1, _MAX_APP_ID)


def _no_app(app_id: int) -> Problem:
    return Problem(404, f"No app with the id {app_id} is listed here; GET /apps lists them.")
