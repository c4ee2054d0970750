"""A page: an address, its forms, and how its view is made; and what is drawn for pages."""

from collections.abc import Callable
from dataclasses import dataclass

from tokenboard.query import ParameterError
from tokenboard.web.charts import Drawing, Size
from tokenboard.web.layout import PageFormat
from tokenboard.web.parameters import Parameter
from tokenboard.web.rendering import Rendered, rendered
from tokenboard.web.request import PageRequest
from tokenboard.web.services import WebServices
from tokenboard.web.view import View

_SIZES = {"": Size.WIDE, **{size.name.lower(): size for size in Size}}

ALL_FORMS = (PageFormat.JSON, PageFormat.CSV, PageFormat.PARQUET)


@dataclass(frozen=True, slots=True)
class Page:
    """``path`` is a route's path; ``view`` blocks, and may raise Redirect, PageNotFound and ParameterError.

    ``parameters`` are those of the query that it looks at.
    """

    path: str
    view: Callable[[WebServices, PageRequest], View]
    parameters: tuple[Parameter, ...]
    forms: tuple[PageFormat, ...] = ALL_FORMS


@dataclass(frozen=True, slots=True)
class PageResource:
    """What is no page: a chart, a share image, a badge, a feed. ``draw`` blocks and raises as a page's view does.

    ``by_renderer`` says that it waits for the process that draws.
    """

    path: str
    draw: Callable[[WebServices, PageRequest], Rendered]
    parameters: tuple[Parameter, ...]
    by_renderer: bool = True


def chart_resource(
    draw: Callable[[WebServices, PageRequest, Size], Drawing],
) -> Callable[[WebServices, PageRequest], Rendered]:
    """Return how a chart is drawn in the size that ``size`` asks for: ``wide``, ``half`` or ``phone``."""

    def answer(services: WebServices, request: PageRequest) -> Rendered:
        size = _SIZES.get(request.text("size"))
        if size is None:
            raise ParameterError("size", f"size is one of: {', '.join(filter(None, _SIZES))}.")
        return rendered(services.renderer.svg(draw(services, request, size)), "image/svg+xml")

    return answer
