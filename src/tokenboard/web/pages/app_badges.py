"""``/badge/apps/{app_id}.svg`` and ``.json``: an app's place, to be shown elsewhere."""

from tokenboard.analytics import Period
from tokenboard.rankings import Placement
from tokenboard.web.badges import Badge, BadgeFigure, Style, app_badge, no_badge
from tokenboard.web.pages.app_use import find_app
from tokenboard.web.pages.page import PageResource
from tokenboard.web.parameters import CATEGORY, METRIC, Parameter
from tokenboard.web.rendering import Rendered, rendered
from tokenboard.web.request import PageRequest
from tokenboard.web.services import WebServices
from tokenboard.web.view import PageNotFound

PATH = "/badge/apps/{app_id}"


def _svg(services: WebServices, request: PageRequest) -> Rendered:
    style = request.choice("style", Style.FLAT)
    try:
        badge, status = _badge(services, request), 200
    except PageNotFound:
        # A page that embeds it shows a badge that says so, not a broken image.
        badge, status = no_badge(services.site.signature), 404
    return rendered(badge.svg(style), "image/svg+xml", status=status)


def _json(services: WebServices, request: PageRequest) -> Rendered:
    request.choice("style", Style.FLAT)
    return rendered(_badge(services, request).endpoint(), "application/json")


def _badge(services: WebServices, request: PageRequest) -> Badge:
    """Return what the badge of an app says; raises as `find_app` does, and ParameterError."""
    shows = request.choice("metric", BadgeFigure.TOKENS)
    period = request.choice("period", Period.WEEK)
    category, subcategory = request.categories()
    app_id = find_app(services, request).app.app_id

    def placement_in(period: Period) -> Placement | None:
        return services.rankings.placement(
            app_id,
            services.analytics.window(period),
            category=category,
            subcategory=subcategory,
            metric=shows.metric,
        )

    placement = placement_in(period)
    # An app's first day is not over yet: its badge shows what there is.
    if placement is None and (today := placement_in(Period.TODAY)) is not None:
        period, placement = Period.TODAY, today
    return app_badge(
        label=services.site.signature,
        shows=shows,
        period=period.value,
        rank=placement.rank if placement is not None else None,
        figure=shows.metric.of(placement) if placement is not None else 0,
        group=subcategory or category or "",
    )


_PARAMETERS = (Parameter("style", Style.FLAT), METRIC, Parameter("period"), *CATEGORY)
BADGES = (
    PageResource(f"{PATH}.svg", _svg, _PARAMETERS, by_renderer=False),
    PageResource(f"{PATH}.json", _json, _PARAMETERS, by_renderer=False),
)
