"""``/admin/gateways``: gateways on other machines."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from tokenboard.api.admin_apps import Limit, Offset
from tokenboard.api.admin_views import Page, PageMeta, moment
from tokenboard.api.services import Services
from tokenboard.control import RemoteGateway


class AdminGateway(BaseModel):
    """A gateway on another machine, as it was heard last.

    ``waiting`` counts the events that no board had by then, ``up_to_date`` says whether it goes by the present keys and
    rules, ``unready`` why it takes no inference.
    """

    name: str
    key: str
    address: str
    journal: str
    version: str
    connected: bool
    heard: datetime
    waiting: int
    up_to_date: bool
    unready: str | None

    @classmethod
    def of(cls, gateway: RemoteGateway) -> "AdminGateway":
        """Return what is shown of a gateway."""
        return cls(
            name=gateway.name,
            key=gateway.key,
            address=gateway.address,
            journal=gateway.journal,
            version=gateway.version,
            connected=gateway.connected,
            heard=moment(gateway.heard_ms),
            waiting=gateway.waiting,
            up_to_date=gateway.up_to_date,
            unready=gateway.unready or None,
        )


def add_routes(routes: APIRouter, services: Services) -> None:
    """Add the route about gateways."""

    @routes.get("/gateways")
    def list_gateways(limit: Limit = 50, offset: Offset = 0) -> Page[AdminGateway]:
        """List the gateways on other machines that were heard since the server started, by name."""
        found = services.remotes.gateways()
        meta = PageMeta(total=len(found), limit=limit, offset=offset)
        return Page(data=[AdminGateway.of(gateway) for gateway in found[offset : offset + limit]], meta=meta)
