"""What the pages work with; made by the composition root, handed to `create_web`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tokenboard.analytics import Analytics
from tokenboard.auth import Auth
from tokenboard.rankings import Rankings
from tokenboard.web.charts import Renderer
from tokenboard.web.session_stores import SessionStore
from tokenboard.web.site import Site


@dataclass(frozen=True, slots=True)
class WebServices:
    """The parts below the pages, and the OpenAPI document of the API beside them.

    ``floor`` is the dataset's first UTC day; ``clock_ms`` returns UTC epoch ms. ``api_document`` is called when its
    page is first read: to make the document takes longer than a board should need to start.
    """

    auth: Auth
    sessions: SessionStore
    analytics: Analytics
    rankings: Rankings
    renderer: Renderer
    site: Site
    floor: date
    clock_ms: Callable[[], int]
    api_document: Callable[[], Mapping[str, Any]]
