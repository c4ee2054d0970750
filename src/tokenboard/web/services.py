"""What the pages work with; made by the composition root, handed to `create_web`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from tokenboard.access import Access
from tokenboard.analytics import Analytics
from tokenboard.rankings import Rankings
from tokenboard.web.charts import Renderer
from tokenboard.web.site import Site


@dataclass(frozen=True, slots=True)
class WebServices:
    """The parts below the pages. ``floor`` is the dataset's first UTC day; ``clock_ms`` tells UTC epoch ms."""

    access: Access
    analytics: Analytics
    rankings: Rankings
    renderer: Renderer
    site: Site
    floor: date
    clock_ms: Callable[[], int]
