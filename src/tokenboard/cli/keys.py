"""``tokenboard keys``: API keys. They work before, during and after a `serve` on the same folder."""

from typing import Annotated

import typer

from tokenboard.catalog import NewKey
from tokenboard.cli.catalog import catalog_of, changing_catalog_of
from tokenboard.cli.session import Session, actor
from tokenboard.cli.terminal import OutputError, as_json_line, at, deliver, say, show_json, show_table
from tokenboard.keys import Key

commands = typer.Typer(help="Create, list, revoke and rotate API keys.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
KeyId = Annotated[int, typer.Argument(help="The key's id, as `keys list` shows it.")]


@commands.command("create")
def create(
    context: typer.Context,
    label: Annotated[str, typer.Option(help="What the key is for.")],
    scopes: Annotated[
        str, typer.Option(help="Comma list of inference, data, ingest, admin, gateway.")
    ] = "inference,data",
    account: Annotated[str, typer.Option(help="Account the key belongs to; made if it is new.")] = "default",
    as_json: Json = False,
) -> None:
    """Make a key and print its secret, which is shown this once."""
    session: Session = context.obj
    with changing_catalog_of(session, make=True) as catalog:
        made = catalog.create_key(label, [scope.strip() for scope in scopes.split(",")], account, actor=actor())
    _show_new(made, as_json)


@commands.command("list")
def list_keys(context: typer.Context, as_json: Json = False) -> None:
    """List all keys, revoked ones included; never their secrets."""
    session: Session = context.obj
    with catalog_of(session) as catalog:
        keys = catalog.keys()
    if as_json:
        show_json([_facts(key) for key in keys])
        return
    rows = [
        (key.id, key.hint, key.label, key.account, ",".join(sorted(key.scopes)), at(key.created_ms), at(key.revoked_ms))
        for key in keys
    ]
    show_table(["id", "key", "label", "account", "scopes", "created", "revoked"], rows)


@commands.command("revoke")
def revoke(context: typer.Context, key_id: KeyId, as_json: Json = False) -> None:
    """Revoke a key for good; a running server refuses it at once."""
    session: Session = context.obj
    with changing_catalog_of(session) as catalog:
        key = catalog.revoke_key(key_id, actor=actor())
    if as_json:
        show_json(_facts(key))
    else:
        say(f"revoked key {key.id} ({key.label})")


@commands.command("rotate")
def rotate(context: typer.Context, key_id: KeyId, as_json: Json = False) -> None:
    """Replace a key by a new one of the same label, scopes and account; the old one is revoked at once."""
    session: Session = context.obj
    with changing_catalog_of(session) as catalog:
        made = catalog.rotate_key(key_id, actor=actor())
    _show_new(made, as_json)


def _show_new(made: NewKey, as_json: bool) -> None:
    facts = {"key": made.secret, **_facts(made.key)}
    try:
        deliver(as_json_line(facts) if as_json else made.secret)
    except OutputError as error:
        raise SecretLost(f"key {made.key.id} was made, but its secret could not be shown: {error}") from error
    if not as_json:
        typer.echo(f"key {made.key.id} ({made.key.label}); it is shown this once, keep it safe", err=True)


class SecretLost(OutputError):
    """A key was made whose secret nobody has seen."""

    hint = "Rotate it with `tokenboard keys rotate ID`, or revoke it."


def _facts(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "label": key.label,
        "account": key.account,
        "scopes": sorted(key.scopes),
        "hint": key.hint,
        "created_ms": key.created_ms,
        "revoked_ms": key.revoked_ms,
    }
