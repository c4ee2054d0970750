"""The pages as an ASGI application: routes, one way from a view to an answer, one page for every error."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route

from tokenboard.catalog import CatalogUnavailable
from tokenboard.http_fields import accepts_gzip, media_type, none_match, preferred
from tokenboard.ledger import LedgerUnavailable
from tokenboard.observability import logger
from tokenboard.problem import Problem, store_away
from tokenboard.query import ParameterError
from tokenboard.rankings import NotFilledError
from tokenboard.web.assets import Assets
from tokenboard.web.charts import SVG_POLICY
from tokenboard.web.layout import Layout, PageFormat
from tokenboard.web.page_cache import PageCache
from tokenboard.web.pages import PAGES, RESOURCES, Page, PageResource
from tokenboard.web.parameters import Parameter, canonical
from tokenboard.web.rendering import NoSuchFormat, PageRenderer, Rendered
from tokenboard.web.request import PageRequest
from tokenboard.web.security import POLICY, secured
from tokenboard.web.services import WebServices
from tokenboard.web.sessions import PageAccess
from tokenboard.web.site import PagesVisibility
from tokenboard.web.templates import environment
from tokenboard.web.view import PageNotFound, Redirect, View
from tokenboard.workers import Workers

PAGE_THREADS = 16
"""Pages, badges and feeds made at one time."""

DRAWING_THREADS = 16
DRAWINGS_WAITING = 64
"""Charts and share images made at one time, and those that may wait behind them; the browser asks again for more."""

MAX_QUERY = 2_000
"""Longest query string, in bytes; a longer one asks for nothing a page has."""

_MAX_FORM = 4_096
_MAX_FIELDS = 10
_ERROR_TYPES = ("application/json", "text/html")
_log = logger("web")
Endpoint = Callable[[Request], Awaitable[Response]]


class Web:
    """Answers every path that is neither the API's nor the gateway's."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._assets = Assets()
        self._page_access = PageAccess(services.site, services.auth, services.sessions)
        self._page_renderer = PageRenderer(environment(services.site, self._assets), demo=services.site.demo)
        self._cache = PageCache()
        # A drawing waits for the one process that draws: pages must not wait behind it.
        self._page_workers = Workers("pages", PAGE_THREADS)
        self._drawing_workers = Workers("drawings", DRAWING_THREADS, DRAWINGS_WAITING)

    def application(self) -> Starlette:
        """Return the routes."""
        routes = [Route("/static/{name}", self._static)]
        for page in PAGES:
            # The plain page comes last: a model's name may hold dots, and is then cut at a form's ending first.
            stem = "/index" if page.path == "/" else page.path
            routes += [Route(f"{stem}.{form}", self._endpoint(page, form)) for form in page.forms]
            routes.append(Route(page.path, self._endpoint(page, PageFormat.HTML)))
        routes += [Route(resource.path, self._resource(resource)) for resource in RESOURCES]
        routes.append(Route("/session", self._session, methods=["GET", "POST"]))
        routes.append(Route("/session/end", self._end_session, methods=["POST"]))
        # These two are printed on the event loop: once made, their templates are read from no file there.
        self._error_response(Problem(404, "There is nothing here."), PageFormat.HTML)
        self._session_page("/", "", 200)
        web = Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: self._http_error,
                ClientDisconnect: self._client_disconnected,
                Exception: self._internal_error,
            },
        )
        web.router.redirect_slashes = False  # Starlette's redirect leads to whatever host the caller named
        return web

    # -- pages and what is drawn for them

    def _endpoint(self, page: Page, form: PageFormat) -> Endpoint:
        async def answer(request: Request) -> Response:
            make = partial(self._render_page, page, form)
            return await self._answer(request, page.parameters, form, make, self._page_workers)

        return answer

    def _resource(self, resource: PageResource) -> Endpoint:
        workers = self._drawing_workers if resource.by_renderer else self._page_workers

        async def answer(request: Request) -> Response:
            make = partial(self._resource_answer, resource)
            return await self._answer(request, resource.parameters, None, make, workers)

        return answer

    def _render_page(self, page: Page, form: PageFormat, page_request: PageRequest) -> Rendered:
        return self._page_renderer.render(page.view(self._services, page_request), form)

    def _resource_answer(self, resource: PageResource, page_request: PageRequest) -> Rendered:
        return resource.draw(self._services, page_request)

    async def _answer(
        self,
        request: Request,
        parameters: Sequence[Parameter],
        form: PageFormat | None,
        make: Callable[[PageRequest], Rendered],
        workers: Workers,
    ) -> Response:
        """Answer with what ``make`` prints, kept until the figures or the day change. ``form`` None is an image."""
        try:
            if not await self._page_access.admits(request):
                return self._ask_for_key(request, form)
            if len(request.scope["query_string"]) > MAX_QUERY:
                raise Problem(400, f"The query is longer than {MAX_QUERY:,} bytes; no page takes that much.")
            query = canonical(request.query_params.multi_items(), parameters)
            page_request = PageRequest(
                _path_of(request), request.path_params, query, frozenset(each.name for each in parameters)
            )
            if form is PageFormat.HTML:
                # Its charts are asked for next; a board without visitors never starts the process that draws.
                self._services.renderer.start()
            key: Hashable = (form, page_request.path, page_request.query)
            rendered = await self._cache.get(
                key,
                self._services.analytics.stamp,
                lambda: workers.run(partial(self._attempt, make, page_request, form)),
            )
            return self._respond(request, rendered)
        except Redirect as redirect:
            # An alias can be taken back: no browser may remember where it led.
            status = 301 if redirect.permanent else 302
            return secured(RedirectResponse(redirect.path, status, headers={"Cache-Control": "no-cache"}))
        except Problem as problem:
            return self._error_response(problem, form)
        except Exception as error:
            fault = _problem_of(error)
            if fault.status == 500:
                _log.error("a page failed by a fault of ours", extra={"path": _path_of(request)[:200]}, exc_info=error)
            return self._error_response(fault, form)

    def _attempt(
        self, make: Callable[[PageRequest], Rendered], page_request: PageRequest, form: PageFormat | None
    ) -> Rendered:
        try:
            return make(page_request)
        except PageNotFound as missing:
            if form is PageFormat.HTML and missing.view is not None:
                return self._page_renderer.render(missing.view, form)
            raise Problem(404, missing.message) from missing

    def _respond(self, request: Request, rendered: Rendered) -> Response:
        private = self._services.site.visibility is PagesVisibility.KEY
        headers = {
            "ETag": rendered.etag,
            # A page is revalidated each time, at the cost of a few bytes: what was hidden is gone at once.
            "Cache-Control": "private, no-cache" if private else "no-cache",
            "Vary": "Accept-Encoding, Cookie" if private else "Accept-Encoding",
        }
        policy = SVG_POLICY if rendered.media_type.startswith("image/svg") else POLICY
        if rendered.status == 200 and none_match(request.headers.getlist("if-none-match"), rendered.etag):
            return secured(Response(status_code=304, headers=headers), policy=policy)
        body = rendered.body
        if rendered.packed is not None and accepts_gzip(request.headers.getlist("accept-encoding")):
            headers["Content-Encoding"] = "gzip"
            body = rendered.packed
        headers["Content-Type"] = rendered.media_type
        return secured(Response(body, rendered.status, headers), policy=policy)

    async def _static(self, request: Request) -> Response:
        asset = self._assets.find(request.path_params["name"])
        if asset is None:
            return self._error_response(Problem(404, "There is no such file."), None)
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if accepts_gzip(request.headers.getlist("accept-encoding")):
            headers["Content-Encoding"] = "gzip"
            return secured(Response(asset.packed, headers=headers, media_type=asset.media_type))
        return secured(Response(asset.body, headers=headers, media_type=asset.media_type))

    # -- sessions

    def _ask_for_key(self, request: Request, form: PageFormat | None) -> Response:
        if form is not PageFormat.HTML:
            return self._error_response(
                Problem(401, "This board's pages need a key: send `Authorization: Bearer <key>`."), form
            )
        query = request.scope["query_string"].decode("latin-1")
        return self._session_page(quote(_path_of(request)) + (f"?{query}" if query else ""), "", 401)

    async def _session(self, request: Request) -> Response:
        match self._services.site.visibility:
            case PagesVisibility.OFF:
                return self._error_response(Problem(404, "This board shows no pages."), PageFormat.HTML)
            case PagesVisibility.PUBLIC:
                return secured(RedirectResponse("/", 302))
        if request.method in {"GET", "HEAD"}:
            return self._session_page("/", "", 200)
        given: dict[str, str] = {}
        try:
            given = await _read_form(request)
            wanted = _own_path(given.get("next", "/"))
            response = RedirectResponse(wanted, 303)
            secret = given.get("key", "")
            https = self._services.site.base_url.startswith("https:")
            await self._page_access.open_session(secret, response, https=https, peer=request.client)
        except (Problem, CatalogUnavailable) as error:
            problem = _problem_of(error)
            return self._session_page(_own_path(given.get("next", "/")), problem.message, problem.status)
        else:
            response.headers["Cache-Control"] = "no-store"
            return secured(response)

    async def _end_session(self, request: Request) -> Response:
        response = RedirectResponse("/", 303)
        try:
            await self._page_access.close_session(request, response)
        except Problem as problem:
            return self._error_response(problem, PageFormat.HTML)
        response.headers["Cache-Control"] = "no-store"
        return secured(response)

    def _session_page(self, wanted: str, message: str, status: int) -> Response:
        layout = Layout("Sign in with a key", "This board's pages need a key.", "/session", indexed=False)
        view = View(layout, "session.html", {"wanted": wanted, "message": message}, status=status)
        rendered = self._page_renderer.render(view, PageFormat.HTML)
        headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
        return secured(Response(rendered.body, status, headers, rendered.media_type))

    # -- errors

    def _error_response(self, problem: Problem, form: PageFormat | None) -> Response:
        headers = {**problem.headers, "Cache-Control": "no-store"}
        if form is not PageFormat.HTML:
            return secured(Response(problem.body(), problem.status, headers, "application/json"))
        layout = Layout(_TITLES.get(problem.status, "Something went wrong"), problem.message, "/", indexed=False)
        view = View(layout, "problem.html", {"problem": problem}, status=problem.status)
        rendered = self._page_renderer.render(view, PageFormat.HTML)
        return secured(Response(rendered.body, problem.status, headers, rendered.media_type))

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        path = _path_of(request)[:200]
        if error.status_code == 404 and (there := self._without_slash(request)):
            return secured(RedirectResponse(there, 307))
        notes: Mapping[int, str] = {
            404: f"There is nothing at {path}. The pages begin at /, the Data API lives under /api/v1.",
            405: f"{path} does not take {request.method[:20]}.",
        }
        problem = Problem(error.status_code, notes.get(error.status_code, str(error.detail)), headers=error.headers)
        wants_page = preferred(request.headers.getlist("accept"), _ERROR_TYPES) == "text/html"
        return self._error_response(problem, PageFormat.HTML if wants_page else None)

    async def _client_disconnected(self, request: Request, error: Exception) -> Response:  # noqa: ARG002 - the handler's signature
        return self._error_response(Problem(400, "The connection closed before the form was complete."), None)

    def _without_slash(self, request: Request) -> str:
        """Return the path without a slash at its end when there is a page; empty when not.

        It names no host: the one in the request is not to be trusted.
        """
        path, scope = _path_of(request).rstrip("/"), request.scope
        if not path or not scope["path"].endswith("/") or scope["method"] not in {"GET", "HEAD"}:
            return ""
        if not any(route.matches({**scope, "path": path})[0] is Match.FULL for route in request.app.routes):
            return ""
        query = scope["query_string"].decode("latin-1")
        return _own_path(quote(path) + (f"?{query}" if query else ""))

    async def _internal_error(self, request: Request, error: Exception) -> Response:
        _log.error("a page failed by a fault of ours", extra={"path": _path_of(request)[:200]}, exc_info=error)
        return self._error_response(_problem_of(error), PageFormat.HTML)


_TITLES = {
    400: "Invalid request",
    401: "Key not accepted",
    403: "No access",
    404: "Not found",
    405: "Method not allowed",
    503: "Temporarily unavailable",
}


def create_web(services: WebServices) -> Starlette:
    """Return the application that answers the pages' addresses."""
    return Web(services).application()


def _problem_of(error: Exception) -> Problem:
    """Return an error of a view as the reader's answer."""
    retry = {"Retry-After": "2"}
    match error:
        case Problem():
            return error
        case ParameterError():
            return Problem(400, error.message, metadata={"parameter": error.parameter})
        case NoSuchFormat():
            return Problem(404, "This page has no such form; try .json.")
        case NotFilledError():
            return Problem(503, f"{error}.", headers=retry)
        case CatalogUnavailable() | LedgerUnavailable() | TimeoutError():
            _log.error("a store is away", extra={"reason": str(error)})
            return store_away(getattr(error, "store", "store behind the board"), getattr(error, "within_s", None))
        case _:
            return Problem(500, "Something went wrong here, not with your request; the server's log tells more.")


def _path_of(request: Request) -> str:
    """Return the decoded path. Starlette's own `url` is made of the Host header, and says what that says."""
    return str(request.scope["path"])


def _own_path(path: str) -> str:
    """Return a path of this board, never another host's: what a browser would read as one becomes the start page."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if plain and len(path) <= MAX_QUERY else "/"


async def _read_form(request: Request) -> dict[str, str]:
    if media_type(request.headers.get("content-type", "")) != "application/x-www-form-urlencoded":
        raise Problem(415, "Send the form as a browser does.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_FORM:
            raise Problem(413, f"The form is larger than {_MAX_FORM:,} bytes.")
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=_MAX_FIELDS))
    except ValueError as error:
        raise Problem(400, f"The form has more than {_MAX_FIELDS} fields; send `key` and `next` alone.") from error
