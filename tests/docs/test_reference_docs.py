"""The docs cannot drift: routes, reasons, warnings, sources and links are compared with the code."""

import ast
import re
from enum import StrEnum
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from tokenboard.api import admin, apps, attribution, datasets, generation, health, key, openapi, try_page, usage
from tokenboard.api.application import BASE, INFERENCE_BASES
from tokenboard.attribution import CATEGORIES, GROUPS, IgnoredReason, Reason, WarningCode
from tokenboard.gateway.endpoints import ENDPOINTS
from tokenboard.gateway.gateway import BASES
from tokenboard.gateway.models import PATHS
from tokenboard.intake import RefusalReason
from tokenboard.usage import Unread, UsageSource

ROOT = Path(__file__).parent.parent.parent
MODULES = sorted((ROOT / "src").rglob("*.py"))
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def first_column(document: str, heading: str) -> list[str]:
    """Return the code spans of the first column of the first table under a heading."""
    section = document.split(f"{heading}\n", 1)[1]
    rows = re.findall(r"^\|(.+?)\|", re.split(r"\n#", section)[0], re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize(
    ("page", "heading", "reasons"),
    [
        ("attribution.md", "## Reasons", Reason),
        ("attribution.md", "### Items that do not count", IgnoredReason),
        ("attribution.md", "## Warnings", WarningCode),
        ("usage.md", "# How tokens are counted", UsageSource),
        ("usage.md", "## What could not be read", Unread),
    ],
)
def test_every_reason_is_documented_and_no_other(page: str, heading: str, reasons: type[StrEnum]) -> None:
    assert {reason.value for reason in reasons} == set(first_column((ROOT / "docs" / page).read_text(), heading))


def test_every_refusal_of_post_usage_is_documented() -> None:
    table = (ROOT / "docs" / "api.md").read_text().split("| reason | meaning |", 1)[1].split("## ", 1)[0]
    assert {reason.value for reason in RefusalReason} == set(re.findall(r"^\| `([a-z_]+)`", table, re.MULTILINE))


def test_every_category_is_documented_under_its_group() -> None:
    section = (ROOT / "docs" / "attribution.md").read_text().split("## Categories", 1)[1]
    rows = {
        group: tuple(re.findall(r"`([a-z-]+)`", names))
        for group, names in re.findall(r"^\| ([a-z]+) \| (`.+`) \|$", section, re.MULTILINE)
    }
    assert dict(GROUPS) == rows
    assert len(CATEGORIES) == sum(len(names) for names in rows.values())


def test_every_route_is_documented_and_no_other() -> None:
    documented = set(first_column((ROOT / "docs" / "api.md").read_text(), "# The API"))
    assert BASES == INFERENCE_BASES
    served = {f"POST {base}{endpoint.path}" for base in BASES for endpoint in ENDPOINTS}
    served |= {f"GET {base}{path}" for base in BASES for path in PATHS}
    modules = [(admin, BASE), (attribution, BASE), (usage, BASE), (health, "")]
    modules += [(module, base) for module in (key, generation) for base in INFERENCE_BASES]
    routers = [(module.router(None), prefix) for module, prefix in modules]
    routers += [(module.router(None, None), BASE) for module in (apps, datasets)]
    routers += [(openapi.router(bytes), ""), (try_page.router(try_page.TryPage()), "")]
    for router, prefix in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and not route.path.startswith(("/internal/", "/docs/api/try/assets/")):
                path = route.path.replace(":path}", "}")
                served |= {f"{method} {prefix}{path}" for method in route.methods or ()}
    assert served == documented


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_docs_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]*)(?:#[^)]*)?\)", page.read_text()):
        assert not target or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_counter_is_in_the_commands_page() -> None:
    text = "".join(module.read_text() for module in MODULES)
    counted = set(re.findall(r'counters\.add\(f?"([a-z_]+)', text))
    document = (ROOT / "docs/commands.md").read_text()
    assert {"recorded", "upstream_failed"} < counted
    cells = re.findall(r"^\| (`.+?`) \|", document, re.MULTILINE)
    assert counted <= {name.split(".")[0] for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_decision_is_listed() -> None:
    listed = set(re.findall(r"\((\d{4}-[a-z-]+\.md)\)", (ROOT / "docs/decisions/README.md").read_text()))
    assert {page.name for page in (ROOT / "docs/decisions").glob("0*.md")} == listed


def test_every_layer_of_the_import_rules_is_in_the_architecture_page() -> None:
    layers = re.search(r"layers = \[(.+?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert layers is not None
    names = {name.strip() for line in re.findall(r'"([^"]+)"', layers[1]) for name in line.split("|")}
    tree = (ROOT / "docs/architecture.md").read_text().split("src/tokenboard/\n", 1)[1].split("```", 1)[0]
    assert names <= set(re.findall(r"[a-z_]+", tree))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_every_module_says_its_place(module: Path) -> None:
    if module.stat().st_size:
        assert ast.get_docstring(ast.parse(module.read_text()))
