"""The control plane over HTTP: Data API, attribution check, ingest, health.

    request ─▶ access (key, scope) ─▶ parse the question ─▶ rankings · catalog · intake ─▶ JSON, or a Problem

Built on FastAPI; the inference endpoints are the gateway's, beside it. Every error, from whatever part, leaves in the
one shape of `tokenboard.problem`.
"""

from tokenboard.api.application import create_api
from tokenboard.api.openapi import describe
from tokenboard.api.services import DataSettings, GatewaysView, Services
from tokenboard.api.try_page import TryPage

__all__ = ["DataSettings", "GatewaysView", "Services", "TryPage", "create_api", "describe"]
