"""Who may read the pages: everybody, or whoever has shown a key, remembered by a signed cookie."""

from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from tokenboard.access import Access, Peer
from tokenboard.catalog import Scope
from tokenboard.problem import Problem
from tokenboard.web.site import Site, Visibility

COOKIE = "tokenboard_session"
"""Name of the cookie; it holds the id of a key and a signature, never a key."""

LASTS_S = 30 * 86_400
"""Seconds that a session lasts."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets requests through or not, by the site's visibility."""

    site: Site
    access: Access

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.site.secret, salt="tokenboard.web.gate")

    def admits(self, request: Request) -> bool:
        """Whether the request may read pages: by a session, or by a key in its headers as the Data API takes it.

        Raises:
            Problem: 404, the pages are off.

        """
        match self.site.visibility:
            case Visibility.PUBLIC:
                return True
            case Visibility.OFF:
                raise Problem(404, "This board shows no pages; its Data API is under /api/v1.")
            case Visibility.KEY:
                return self._has_session(request) or self._has_key(request)

    def open_session(self, secret: str, response: Response, *, https: bool, peer: Peer = None) -> None:
        """Check a key that was pasted and put a session into the response.

        Raises:
            Problem: 401 or 403, the key gives no access.

        """
        given = secret.strip().encode("utf-8", "replace")
        if not given:
            raise Problem(401, "There was no key in the form: paste one.")
        key = self.access.check_credentials(None, given, Scope.DATA, peer)
        response.set_cookie(
            COOKIE,
            self._signer().dumps(key.id),
            max_age=LASTS_S,
            httponly=True,
            samesite="lax",
            secure=https,
            path="/",
        )

    def close_session(self, response: Response) -> None:
        """Take the session out of the browser."""
        response.delete_cookie(COOKIE, path="/")

    def _has_session(self, request: Request) -> bool:
        given = request.cookies.get(COOKIE, "")
        if not given or len(given) > 512:
            return False
        try:
            key_id = self._signer().loads(given, max_age=LASTS_S)
        except BadData:
            return False
        return isinstance(key_id, int) and self.access.holds(key_id, Scope.DATA)

    def _has_key(self, request: Request) -> bool:
        if "authorization" not in request.headers and "x-api-key" not in request.headers:
            return False
        self.access.check(request.headers.raw, Scope.DATA, request.client)
        return True
