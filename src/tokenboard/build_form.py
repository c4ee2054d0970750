"""Which form of the hot modules runs: pure Python, or compiled by mypyc.

Python prefers an extension module to the source beside it, even if the source has changed since. So `compile` writes a
manifest, ``compiled.json``, which the package checks before any of its modules is imported: unless all sources are the
ones that were compiled, and all compiled modules are there for this interpreter, all of them are ignored and the
sources run. Compiled modules depend on one another's memory layout, so it is all or none.

    compiled.json   {"suffix": ".cpython-311.so", "modules": ["usage/meter", …], "sources": {"usage/meter.py": SHA-256}}

An empty ``sources`` marks an unfinished build. Paths are relative to this package.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

PURE: Final = "TOKENBOARD_PURE"
"""The environment variable that makes the sources run although compiled modules are there."""

MANIFEST: Final = "compiled.json"
LIBRARY: Final = "tokenboard__mypyc"
"""The extension module beside the package that holds the code of all compiled ones."""

_PACKAGE: Final = Path(__file__).parent
_OFF: Final = frozenset({"", "0", "false", "no"})


class Why(StrEnum):
    """Why a form runs."""

    COMPILED = "compiled"
    NOT_BUILT = "not built"
    ASKED_FOR = "asked for"
    STALE = "stale"
    OTHER_PYTHON = "other Python"


class BuildForm(NamedTuple):
    """The form that runs, and how many ``modules`` there are compiled."""

    why: Why
    modules: int = 0

    @property
    def compiled(self) -> bool:
        """Whether the hot modules run compiled."""
        return self.why is Why.COMPILED

    def __str__(self) -> str:
        """Say in one line which form runs, and how to get the other."""
        match self.why:
            case Why.COMPILED:
                return f"running compiled: {self.modules} modules by mypyc; {PURE}=1 runs their Python sources instead"
            case Why.ASKED_FOR:
                return f"running as pure Python, as {PURE} asks; without it the {self.modules} compiled modules run"
            case Why.STALE:
                return f"running as pure Python: the compiled modules are of other sources than these. {_build_anew()}"
            case Why.OTHER_PYTHON:
                return f"running as pure Python: the compiled modules are for another Python. {_build_anew()}"
            case Why.NOT_BUILT:
                return f"running as pure Python; {_how_to_build()}"


def find_form(package: Path = _PACKAGE, environment: Mapping[str, str] = os.environ) -> BuildForm:
    """Return which form of the modules in ``package`` is to run."""
    try:
        manifest = json.loads((package / MANIFEST).read_bytes())
        suffix, modules, sources = manifest["suffix"], manifest["modules"], manifest["sources"]
    except FileNotFoundError:
        left_over = any((package.parent / f"{LIBRARY}{suffix}").exists() for suffix in EXTENSION_SUFFIXES)
        return BuildForm(Why.STALE if left_over else Why.NOT_BUILT)
    except (OSError, ValueError, KeyError, TypeError):
        return BuildForm(Why.STALE)
    if environment.get(PURE, "").lower() not in _OFF:
        return BuildForm(Why.ASKED_FOR, len(modules))
    if suffix not in EXTENSION_SUFFIXES:
        return BuildForm(Why.OTHER_PYTHON, len(modules))
    complete = all((package / f"{module}{suffix}").exists() for module in modules)
    if not sources or not complete or any(digest(package / name) != known for name, known in sources.items()):
        return BuildForm(Why.STALE, len(modules))
    return BuildForm(Why.COMPILED, len(modules))


def digest(source: Path) -> str:
    """Return the SHA-256 of a source, empty when it is not there."""
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


class SourcesFirst:
    """Finds the source of each module of a package, whatever lies beside it; for ``sys.meta_path``."""

    def __init__(self, package: Path) -> None:
        self._root = package.parent
        self._prefix = f"{package.name}."

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - as the import system calls it
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return where a module's source is, None for packages, which have no compiled form, and for what is not ours.

        Raises:
            ModuleNotFoundError: there is no such source.

        """
        if not fullname.startswith(self._prefix):
            return None
        place = self._root.joinpath(*fullname.split("."))
        if place.is_dir():
            return None
        source = place.with_suffix(".py")
        if not source.exists():
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return spec_from_file_location(fullname, source)


def settle_form(package: Path = _PACKAGE) -> BuildForm:
    """Determine the form; where compiled modules must not be used, import sources. Called at the package's import."""
    form = find_form(package)
    if form.why in {Why.STALE, Why.ASKED_FOR, Why.OTHER_PYTHON}:
        sys.meta_path.insert(0, SourcesFirst(package))
    return form


def _build_anew() -> str:
    return "Run `make compile`, or `make compile-clean`." if _is_checkout() else "Install anew."


def _how_to_build() -> str:
    if _is_checkout():
        return "`make compile` compiles the hot modules"
    return "a wheel built with TOKENBOARD_COMPILE=1 has the hot modules compiled"


def _is_checkout() -> bool:
    return (_PACKAGE.parent.parent / "setup.py").exists()
