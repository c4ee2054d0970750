"""The pages: rankings, marketplace, apps, models, badges, feeds; server-rendered and complete without scripts.

    query ─▶ view (one frozen value: layout, template's context, document, table) ─┬▶ HTML
                                                                                  ├▶ .json, the same figures exact
                                                                                  └▶ .csv, .parquet, the page's table

A page and its twins are made of one view, so they cannot differ. Every view comes from `tokenboard.analytics` and
`tokenboard.rankings`, which know visible apps only.
"""

from tokenboard.web.application import create_web
from tokenboard.web.assets import own_address
from tokenboard.web.services import WebServices
from tokenboard.web.site import DEMO_NOTICE, PagesVisibility, Site

__all__ = ["DEMO_NOTICE", "PagesVisibility", "Site", "WebServices", "create_web", "own_address"]
