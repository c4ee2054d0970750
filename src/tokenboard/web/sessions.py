"""Who may read the pages: everybody, or who has shown a key, remembered by a cookie."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from tokenboard.auth import LASTS_S, Auth, Peer
from tokenboard.keys import Scope
from tokenboard.problem import Problem
from tokenboard.web.session_stores import SessionStore
from tokenboard.web.site import PagesVisibility, Site

COOKIE = "tokenboard_session"
"""Name of the cookie; it holds a random token that only this board knows, never a key."""


@dataclass(frozen=True, slots=True)
class PageAccess:
    """Lets requests through or not, by the site's visibility."""

    site: Site
    auth: Auth
    sessions: SessionStore

    async def admits(self, request: Request) -> bool:
        """Whether the request may read pages: by a session, or by a key in its headers as the Data API takes it.

        Raises:
            Problem: 404, the pages are off; 503, nobody can tell now whether there is a session.

        """
        match self.site.visibility:
            case PagesVisibility.PUBLIC:
                return True
            case PagesVisibility.OFF:
                raise Problem(404, "This board shows no pages; its Data API is under /api/v1.")
            case PagesVisibility.KEY:
                return await self._has_session(request) or self._has_key(request)

    async def open_session(self, secret: str, response: Response, *, https: bool, peer: Peer = None) -> None:
        """Check a key that was pasted and put a session into the response.

        Raises:
            Problem: 401 or 403, the key gives no access; 503, no session can be kept.

        """
        given = secret.strip().encode("utf-8", "replace")
        if not given:
            raise Problem(401, "There was no key in the form: paste one.")
        key = self.auth.check_credentials(None, given, Scope.DATA, peer)
        response.set_cookie(
            COOKIE,
            await self.sessions.begin(key.digest),
            max_age=LASTS_S,
            httponly=True,
            samesite="lax",
            secure=https,
            path="/",
        )

    async def close_session(self, request: Request, response: Response) -> None:
        """End the session of a request for good, and take its cookie out of the browser.

        Raises:
            Problem: 503, the end could not be stored.

        """
        response.delete_cookie(COOKIE, path="/")
        await self.sessions.end(request.cookies.get(COOKIE, ""))

    async def _has_session(self, request: Request) -> bool:
        key = await self.sessions.key_of(request.cookies.get(COOKIE, ""))
        return key is not None and self.auth.holds(key, Scope.DATA)

    def _has_key(self, request: Request) -> bool:
        if "authorization" not in request.headers and "x-api-key" not in request.headers:
            return False
        self.auth.check(request.headers.raw, Scope.DATA, request.client)
        return True
