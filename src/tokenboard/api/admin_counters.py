"""``/admin/counters``: what was counted since the server started."""

import asyncio

from fastapi import APIRouter

from tokenboard.api.admin_views import Data
from tokenboard.api.processes import all_counters
from tokenboard.api.services import Services


def add_routes(routes: APIRouter, services: Services) -> None:
    """Add the route of the counters."""

    @routes.get("/counters")
    def show_counters() -> Data[dict[str, int]]:
        """Show what was counted since the server started: usage recorded, unread and refused, faults by reason."""
        return Data(data=asyncio.run(all_counters(services)))
