"""SQL is source: the numbered files of ``schema/`` and the questions of ``queries/``, read from the package."""

from importlib.resources import files
from string import Template


def schema_files() -> list[tuple[str, str]]:
    """Return the schema files in order, each by its name without the ending, and its text."""
    folder = files("tokenboard.ledger") / "schema"
    entries = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted((entry.name.removesuffix(".sql"), entry.read_text("utf-8")) for entry in entries)


def query_text(name: str, **names: str) -> str:
    """Return one question's text; ``names`` of tables and columns take the place of ``$name`` in it."""
    text = (files("tokenboard.ledger") / "queries" / f"{name}.sql").read_text("utf-8")
    return Template(text).substitute(names) if names else text
