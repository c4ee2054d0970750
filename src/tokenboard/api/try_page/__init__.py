"""``/docs/api/try``: Swagger UI, from an installed package, in the board's frame and colours.

The page is the API's: it is there whatever the settings say of the other pages, and holds no figures.
"""

from tokenboard.api.try_page.page import TryPage, router

__all__ = ["TryPage", "router"]
