"""Every page and everything drawn for one: the table of addresses."""

from tokenboard.web.pages.api import API, API_ADMIN, API_INFERENCE
from tokenboard.web.pages.app import APP
from tokenboard.web.pages.app_badges import BADGES
from tokenboard.web.pages.app_charts import APP_CHARTS
from tokenboard.web.pages.apps import APPS
from tokenboard.web.pages.docs import ATTRIBUTION, DOCS
from tokenboard.web.pages.feeds import APP_FEED, APPS_FEED
from tokenboard.web.pages.home import HOME
from tokenboard.web.pages.model import MODEL, MODEL_CHART
from tokenboard.web.pages.models import AUTHORS_CHART, MODELS, MODELS_CHART
from tokenboard.web.pages.page import Page, PageResource
from tokenboard.web.pages.rankings import RANKINGS, RANKINGS_CHART
from tokenboard.web.pages.share_images import SHARE_IMAGES

PAGES: tuple[Page, ...] = (
    HOME,
    RANKINGS,
    APPS,
    APP,
    MODELS,
    MODEL,
    DOCS,
    ATTRIBUTION,
    API,
    API_INFERENCE,
    API_ADMIN,
)
"""In the order in which addresses are tried: the narrower first."""

RESOURCES: tuple[PageResource, ...] = (
    RANKINGS_CHART,
    MODELS_CHART,
    AUTHORS_CHART,
    MODEL_CHART,
    *APP_CHARTS,
    *SHARE_IMAGES,
    *BADGES,
    APPS_FEED,
    APP_FEED,
)
"""Charts, share images, badges and feeds."""

__all__ = ["PAGES", "RESOURCES", "Page", "PageResource"]
