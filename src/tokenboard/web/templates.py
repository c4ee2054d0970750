"""The templates' environment: escaping always on, figures and times as filters, static files by fingerprint."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tokenboard.tables import instant
from tokenboard.web.assets import Assets
from tokenboard.web.numbers import change, compact, direction, exact, growth, percent
from tokenboard.web.site import DEMO_NOTICE, Site
from tokenboard.web.sparkline import points
from tokenboard.web.text import host_of, label_of, path_of, with_code


def environment(site: Site, assets: Assets) -> Environment:
    """Return the environment of all pages. An undefined name in a template is an error, never an empty space."""
    env = Environment(
        loader=PackageLoader("tokenboard.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=200,
    )
    filters: dict[str, Callable[..., Any]] = {
        "change": change,
        "compact": compact,
        "direction": direction,
        "exact": exact,
        "growth": growth,
        "percent": percent,
        "host": host_of,
        "label": label_of,
        "segment": path_of,
        "with_code": with_code,
        "points": points,
        "iso": instant,
        "moment": _moment,
        "day": _day,
    }
    env.filters.update(filters)
    env.globals.update(site=site, demo_notice=DEMO_NOTICE, asset=partial(_asset, assets))
    return env


def _asset(assets: Assets, name: str) -> str:
    return assets.address(name)


def _moment(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
