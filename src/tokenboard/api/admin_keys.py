"""``/admin/keys``: who may use the board. A secret is in the one answer that makes the key, and nowhere else."""

from typing import Annotated

from fastapi import APIRouter, Path

from tokenboard.api.admin_apps import Limit, Offset
from tokenboard.api.admin_auth import Actor
from tokenboard.api.admin_views import AdminKey, AdminNewKey, Data, KeyBody, Page, PageMeta
from tokenboard.api.services import Services

# Whoever copies the example of a revocation is not to revoke the first key, which is the operator's own.
KeyId = Annotated[int, Path(examples=[7])]


def add_routes(routes: APIRouter, services: Services) -> None:
    """Add the routes about keys."""

    @routes.get("/keys")
    def list_keys(limit: Limit = 50, offset: Offset = 0) -> Page[AdminKey]:
        """List all keys by id, revoked ones included; never their secrets."""
        keys = services.catalog.keys()
        meta = PageMeta(total=len(keys), limit=limit, offset=offset)
        return Page(data=[AdminKey.of(key) for key in keys[offset : offset + limit]], meta=meta)

    @routes.post("/keys", status_code=201)
    def create(body: KeyBody, actor: Actor) -> Data[AdminNewKey]:
        """Make a key; its secret is shown this once."""
        made = services.catalog.create_key(body.label, body.scopes, body.account, actor=actor)
        return Data(data=AdminNewKey.made(made))

    @routes.get("/keys/{key_id}")
    def show_key(key_id: KeyId) -> Data[AdminKey]:
        """Show one key."""
        return Data(data=AdminKey.of(services.catalog.key(key_id)))

    @routes.post("/keys/{key_id}/rotate", status_code=201)
    def rotate(key_id: KeyId, actor: Actor) -> Data[AdminNewKey]:
        """Replace a key by a new one of the same label, scopes and account; the old one is revoked at once."""
        made = services.catalog.rotate_key(key_id, actor=actor)
        return Data(data=AdminNewKey.made(made))

    @routes.delete("/keys/{key_id}")
    def revoke(key_id: KeyId, actor: Actor) -> Data[AdminKey]:
        """Revoke a key for good; it is refused at once."""
        key = services.catalog.revoke_key(key_id, actor=actor)
        return Data(data=AdminKey.of(key))
