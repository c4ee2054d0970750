"""A page: an address, its forms, and how its view is made; and what is drawn for pages."""

from collections.abc import Callable
from dataclasses import dataclass

from tokenboard.rankings import ParameterError
from tokenboard.web.charts import Drawing, Size
from tokenboard.web.layout import Form
from tokenboard.web.parameters import Parameter
from tokenboard.web.query import Asked
from tokenboard.web.rendering import Printed, printed
from tokenboard.web.services import WebServices
from tokenboard.web.view import View

_SIZES = {"": Size.WIDE, **{size.name.lower(): size for size in Size}}

ALL_FORMS = (Form.JSON, Form.CSV, Form.PARQUET)


@dataclass(frozen=True, slots=True)
class Page:
    """``path`` is a route's path; ``view`` blocks, and may raise Elsewhere, NothingThere and QuestionError.

    ``parameters`` are those of the query that it looks at.
    """

    path: str
    view: Callable[[WebServices, Asked], View]
    parameters: tuple[Parameter, ...]
    forms: tuple[Form, ...] = ALL_FORMS


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is no page: a chart, a share image, a badge, a feed. ``draw`` blocks and raises as a page's view does.

    ``rendered`` says that it waits for the process that draws.
    """

    path: str
    draw: Callable[[WebServices, Asked], Printed]
    parameters: tuple[Parameter, ...]
    rendered: bool = True


def drawn_chart(draw: Callable[[WebServices, Asked, Size], Drawing]) -> Callable[[WebServices, Asked], Printed]:
    """Return how a chart is drawn in the size that ``size`` asks for: ``wide``, ``half`` or ``phone``."""

    def answer(services: WebServices, asked: Asked) -> Printed:
        size = _SIZES.get(asked.text("size"))
        if size is None:
            raise ParameterError("size", f"size is one of: {', '.join(filter(None, _SIZES))}.")
        return printed(services.renderer.svg(draw(services, asked, size)), "image/svg+xml")

    return answer
