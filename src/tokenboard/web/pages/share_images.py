"""``/share/….png``: what other sites show beside a link to a ranking, an app or a model."""

from datetime import timedelta

from tokenboard.query import Window
from tokenboard.rankings import Sort
from tokenboard.web.charts import Picture, window_name
from tokenboard.web.pages.app_use import find_app, parse_app_span
from tokenboard.web.pages.page import PageResource
from tokenboard.web.pages.rankings import RANKING, SPARK_DAYS, top_apps, window_to
from tokenboard.web.parameters import SPAN
from tokenboard.web.rendering import Rendered, rendered
from tokenboard.web.request import PageRequest, Span, model_period, parse_board_span, parse_ranking, parse_span
from tokenboard.web.services import WebServices
from tokenboard.web.share import ROWS, Place, app_image, model_image, ranking_image
from tokenboard.web.text import host_of, label_of
from tokenboard.web.view import PageNotFound


def ranking_picture(services: WebServices, request: PageRequest) -> Picture:
    """Return the image of the ranking that the same parameters show at ``/rankings``."""
    span = parse_board_span(services, request)
    question = parse_ranking(request, span, limit=ROWS)
    top = top_apps(services, question)
    narrower = question.subcategory or question.category
    what = "Trending apps" if question.sort is Sort.TRENDING else "Top apps"
    return ranking_image(
        board=services.site.signature,
        title=f"{what} in {label_of(narrower)}" if narrower else what,
        window=_dates(span),
        rows=[
            Place(
                row.app.rank,
                row.app.name,
                host_of(row.app.url or ""),
                top.metric.of(row.app),
            )
            for row in top.rows
        ],
        unit=top.metric.unit,
    )


def app_picture(services: WebServices, request: PageRequest) -> Picture:
    """Return the image of one app in the window that its page shows; raises as `find_app` does."""
    detail = find_app(services, request)
    span = parse_app_span(services, request, detail)
    window = span.window
    placement = services.rankings.placement(detail.app.app_id, window)
    days = services.rankings.days(detail.app.app_id, _recent(services, window))
    within = services.rankings.days(detail.app.app_id, window)
    if days is None or within is None:
        raise PageNotFound("There is no such image.")
    return app_image(
        board=services.site.signature,
        name=detail.app.name,
        host=host_of(detail.app.url),
        window=_dates(span),
        rank=placement.rank if placement is not None else None,
        listed=placement.listed if placement is not None else 0,
        tokens=sum(within.tokens),
        requests=sum(within.requests),
        days=days.tokens,
    )


def model_picture(services: WebServices, request: PageRequest) -> Picture:
    """Return the image of one model in the window that its page shows; PageNotFound when it is unknown."""
    name = str(request.parts["model"])
    span = parse_span(services, request, model_period(services, name))
    window = span.window
    model = services.analytics.model(name, window)
    apps = services.analytics.model_apps(name, window, limit=1)
    recent = services.analytics.model(name, _recent(services, window))
    if model is None or apps is None or recent is None:
        raise PageNotFound("No model of this name has answered here.")
    tokens = {day.day: day.figures.tokens for day in recent.days}
    return model_image(
        board=services.site.signature,
        model=model.model,
        author=model.author,
        window=_dates(span),
        rank=model.rank,
        tokens=model.total.tokens,
        share=model.share,
        apps=apps.listed,
        days=[tokens.get(recent.window.start + timedelta(days=day), 0) for day in range(recent.window.days)],
    )


def _recent(services: WebServices, window: Window) -> Window:
    """Return the window, or the 30 days that end with it: less makes no picture."""
    return window if window.days >= SPARK_DAYS else window_to(window.end, SPARK_DAYS, services.floor)


def _dates(span: Span) -> str:
    days = window_name(span.window.start, span.window.end)
    return days if span.complete else f"{days}, so far"


def _resource(services: WebServices, picture: Picture) -> Rendered:
    return rendered(services.renderer.png(picture), "image/png", pack=False)


def _ranking(services: WebServices, request: PageRequest) -> Rendered:
    return _resource(services, ranking_picture(services, request))


def _app(services: WebServices, request: PageRequest) -> Rendered:
    return _resource(services, app_picture(services, request))


def _model(services: WebServices, request: PageRequest) -> Rendered:
    return _resource(services, model_picture(services, request))


SHARE_IMAGES = (
    PageResource("/share/rankings.png", _ranking, RANKING),
    PageResource("/share/apps/{app_id}.png", _app, SPAN),
    PageResource("/share/models/{model:path}.png", _model, SPAN),
)
