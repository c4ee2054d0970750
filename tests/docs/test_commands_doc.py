"""docs/commands.md names every command and every option as the program does, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tokenboard.cli import __doc__ as exit_codes
from tokenboard.cli.main import _app

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "commands.md").read_text("utf-8")
ROOT_COMMAND: Any = get_command(_app)

OptionRow = tuple[str, str, str]


def leaves(command: Any = ROOT_COMMAND, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, by its words."""
    if not hasattr(command, "list_commands"):
        yield " ".join(words), command
        return
    for name in command.list_commands(None):
        yield from leaves(command.get_command(None, name), (*words, name))


COMMANDS = dict(leaves())
GROUPS = list(dict.fromkeys(words.split()[0] for words in COMMANDS))


def shown(command: Any) -> list[Any]:
    """Return its parameters, without those that one command gives another."""
    return [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]


def is_option(parameter: Any) -> bool:
    return bool(parameter.opts[0].startswith("-"))


def usage(words: str, command: Any) -> str:
    """Return how a command is written: ``keys create --label LABEL [--json]``."""
    parts = [words]
    for parameter in sorted(shown(command), key=is_option):
        name = (parameter.metavar or parameter.name).upper()
        if not is_option(parameter):
            parts.append(name)
            continue
        text = parameter.opts[0] if parameter.is_flag else f"{parameter.opts[0]} {name}"
        text = text if parameter.required else f"[{text}]"
        parts.append(f"{text}…" if parameter.multiple else text)
    return " ".join(parts)


def summary(command: Any) -> str:
    """Return the first paragraph of what a command says of itself."""
    return " ".join(str(command.help).split("\n\n")[0].split())


def options(commands: list[Any]) -> set[OptionRow]:
    return {
        (parameter.opts[0], default(parameter), parameter.help)
        for command in commands
        for parameter in shown(command)
        if is_option(parameter)
    }


def arguments(commands: list[Any]) -> set[OptionRow]:
    return {
        ((parameter.metavar or parameter.name).upper(), "required", parameter.help)
        for command in commands
        for parameter in shown(command)
        if not is_option(parameter)
    }


def default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.is_flag or parameter.default in (None, ""):
        return ""
    return str(parameter.default)


def section(heading: str) -> str:
    return re.split(r"\n## ", PAGE.split(f"\n## {heading}\n", 1)[1])[0]


def table(text: str, first: str) -> list[list[str]]:
    """Return the rows of the table whose first column is named so."""
    rows = []
    inside = False
    for line in text.splitlines():
        if line.startswith(f"| {first} |"):
            inside = True
        elif inside and not line.startswith("|"):
            break
        elif inside and not line.startswith("|--"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def code(cell: str) -> str:
    return cell.removeprefix("`").removesuffix("`")


def test_every_group_of_commands_has_its_section_and_no_other_has_one() -> None:
    assert set(GROUPS) == set(re.findall(r"^## `([a-z-]+)`$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_is_documented_as_it_is_written_and_as_it_describes_itself(group: str) -> None:
    expected = [
        (usage(words, command), summary(command)) for words, command in COMMANDS.items() if words.split()[0] == group
    ]

    assert sorted(expected) == sorted((code(row[0]), row[1]) for row in table(section(f"`{group}`"), "command"))


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_and_argument_is_documented_with_its_default_and_meaning(group: str) -> None:
    commands = [command for words, command in COMMANDS.items() if words.split()[0] == group]

    rows = table(section(f"`{group}`"), "option")
    documented = {(code(row[0]), code(row[1]), row[2]) for row in rows}

    assert options(commands) | arguments(commands) == documented
    assert len(rows) == len(documented)


def test_the_options_of_every_command_are_documented_with_their_variables() -> None:
    expected = {
        (parameter.opts[0], default(parameter), parameter.envvar or "", parameter.help)
        for parameter in ROOT_COMMAND.params
    }

    rows = table(PAGE.split("\n## `", 1)[0], "option")

    assert expected == {(code(row[0]), code(row[1]), code(row[2]), row[3]) for row in rows}


def test_every_exit_code_is_documented_and_no_other() -> None:
    promised = set(re.findall(r"\b(\d+): ", str(exit_codes)))

    assert {"0", "1", "2", "130"} == promised
    assert promised == {code(row[0]) for row in table(PAGE, "exit code")}


@pytest.mark.parametrize("words", ["", *COMMANDS, "keys", "apps", "dead-letters"])
def test_every_command_and_each_of_its_options_says_what_it_is_for(words: str) -> None:
    command = ROOT_COMMAND
    for word in words.split():
        command = command.get_command(None, word)

    assert command.help
    assert [] == [parameter.name for parameter in command.params if not parameter.help]


def test_every_command_line_of_the_examples_is_one() -> None:
    shown = re.findall(r"^\$ tokenboard (?:--data \S+ )?([a-z-]+(?: [a-z]+)?)", PAGE, re.MULTILINE)

    assert shown
    assert [] == [line for line in shown if line not in COMMANDS and line.split()[0] not in COMMANDS]
