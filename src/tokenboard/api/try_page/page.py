"""The page and the files that it loads."""

import gzip
from dataclasses import dataclass
from functools import cache, partial
from html import escape
from importlib.metadata import distribution
from importlib.resources import files
from string import Template

from fastapi import APIRouter, Request, Response

from tokenboard.http_fields import accepts_gzip
from tokenboard.problem import Problem
from tokenboard.workers import Workers

PATH = "/docs/api/try"
THREADS = 2

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_INSTALLED = ("swagger-ui-bundle.js", "swagger-ui.css")
_OWN = ("start.js", "try.css")
_POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NAV = (
    '<nav class="nav" aria-label="Main"><a href="/rankings">Rankings</a> <a href="/apps">Apps</a> '
    '<a href="/models">Models</a> <a href="/docs" aria-current="true">Docs</a></nav>'
)
_REFERENCE = '<p class="lead">Every operation, with a key of this board. <a href="/docs/api">API reference</a></p>'
_PLAIN = '<p class="lead">Every operation, with a key of this board.</p>'


@dataclass(frozen=True, slots=True)
class TryPage:
    """What the page shows of its board.

    ``stylesheet`` and ``icon`` are paths of the pages' own files. ``pages`` says whether there are pages to lead to,
    ``notice`` is said at the top, empty for nothing.
    """

    title: str = "tokenboard"
    stylesheet: str = ""
    icon: str = "data:,"
    pages: bool = True
    notice: str = ""

    def html(self) -> str:
        """Return the page."""
        template = Template((files(__package__) / "page.html").read_text("utf-8"))
        notice = f'<p class="demo">{escape(self.notice)}</p>' if self.notice else ""
        return template.substitute(
            title=escape(self.title),
            stylesheet=f'<link rel="stylesheet" href="{escape(self.stylesheet)}">' if self.stylesheet else "",
            icon=escape(self.icon),
            notice=notice,
            nav=_NAV if self.pages else "",
            home="/" if self.pages else PATH,
            lead=_REFERENCE if self.pages else _PLAIN,
        )


def router(page: TryPage) -> APIRouter:
    """Return the routes of the page and of its files. Both are public."""
    routes = APIRouter(include_in_schema=False)
    workers = Workers("files of this page", THREADS)
    html = page.html()

    @routes.get(PATH)
    async def show() -> Response:
        return Response(html, headers=_POLICY, media_type="text/html")

    @routes.get(f"{PATH}/assets/{{name}}")
    async def asset(request: Request, name: str) -> Response:
        if name not in _INSTALLED + _OWN:
            raise Problem(404, "There is no such file of the API's page.")
        packed = await workers.run(partial(_packed, name))
        # Ours change with the program and are small; the installed ones are large, and change with their package.
        headers = _POLICY | {
            "Cache-Control": "no-cache" if name in _OWN else "public, max-age=86400",
            "Content-Type": _TYPES[name.rpartition(".")[2]],
            "Vary": "Accept-Encoding",
        }
        if accepts_gzip(request.headers.getlist("accept-encoding")):
            return Response(packed, headers=headers | {"Content-Encoding": "gzip"})
        return Response(await workers.run(partial(gzip.decompress, packed)), headers=headers)

    return routes


@cache
def _packed(name: str) -> bytes:
    """Return a file of the page, gzipped: Swagger UI's come with an installed package, never from another host."""
    if name in _OWN:
        return gzip.compress((files(__package__) / name).read_bytes(), 6)
    file = distribution("fastapi-offline").locate_file(f"fastapi_offline/static/{name}")
    with open(str(file), "rb") as opened:
        return gzip.compress(opened.read(), 6)
