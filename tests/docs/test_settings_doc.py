"""docs/settings.md names every setting with its variable, default and meaning, and nothing else."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tokenboard.config import Settings, load_settings
from tokenboard.config.load import NOT_SETTINGS
from tokenboard.config.names import section_of, variables

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "settings.md").read_text("utf-8")

Row = tuple[str, str, str, str]


def headings(model: type[BaseModel], path: tuple[str, ...] = ()) -> dict[str, tuple[type[BaseModel], tuple[str, ...]]]:
    """Return every section below a model by its heading: ``[server]``, ``[[upstream]]``, ``[[attribution.rule]]``."""
    found = {}
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        if section is not None:
            here = (*path, name)
            listed = not isinstance(field.annotation, type)
            found["[[{}]]".format(".".join(here)) if listed else "[{}]".format(".".join(here))] = (section, here)
            found |= headings(section, here)
    return found


def rows_of_code(section: type[BaseModel], path: tuple[str, ...]) -> list[Row]:
    """Return what the table of a section must say."""
    by_path = {where: name for name, (where, _) in variables(Settings).items()}
    return [
        (name, by_path.get((*path, name), ""), default(field.get_default(call_default_factory=True)), meaning)
        for name, field in section.model_fields.items()
        if section_of(field.annotation) is None and (meaning := field.description or "")
    ]


def default(value: Any) -> str:
    """Return a default as TOML writes it."""
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return json.dumps(value) if isinstance(value, (str, bool, int, float, dict)) else str(value)


def rows_of_page(heading: str) -> list[Row]:
    section = re.split(r"\n## ", PAGE.split(f"\n## `{heading}`\n", 1)[1])[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"]
    return [
        (row[0].strip("`"), row[1].strip("`") if len(row) == 4 else "", row[-2].strip("`"), row[-1]) for row in rows
    ]


def test_every_section_has_its_heading_in_the_order_of_the_code_and_no_other_has_one() -> None:
    assert list(headings(Settings)) == re.findall(r"^## `(\[.+\])`$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("heading", headings(Settings))
def test_every_setting_is_documented_with_its_variable_its_default_and_its_meaning(heading: str) -> None:
    assert rows_of_code(*headings(Settings)[heading]) == rows_of_page(heading)


@pytest.mark.parametrize("heading", headings(Settings))
def test_every_section_is_introduced_by_its_own_words(heading: str) -> None:
    section, _ = headings(Settings)[heading]
    assert f"\n## `{heading}`\n\n{section.__doc__}" in PAGE


def test_variables_that_are_no_settings_are_documented() -> None:
    named = re.findall(r"^\| `(TOKENBOARD_\w+)` \| [^`|]", PAGE.split("\n## Secrets\n", 1)[0], re.MULTILINE)
    assert NOT_SETTINGS == frozenset(named)


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_file_is_read_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NOT_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "tokenboard.toml"
    for text in examples("toml"):
        file.write_text(text, "utf-8")
        settings = load_settings(file)

        assert settings != Settings()
        assert set(tomllib.loads(text)) <= set(Settings.model_fields)


def test_every_variable_of_the_examples_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in "".join(examples("sh")).splitlines():
        for name, value in re.findall(r"(TOKENBOARD_\w+__\w+|TOKENBOARD_UPSTREAM)=('[^']*'|\S+)", line):
            monkeypatch.setenv(name, value.strip("'"))

    assert (9000, "tokens", 2) == (
        (settings := load_settings(None)).server.port,
        settings.upstream[0].name,
        len(settings.attribution.rule) + len(settings.upstream),
    )
