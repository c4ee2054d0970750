"""What pyproject.toml cannot say: with TOKENBOARD_COMPILE=1 the hot modules are compiled, by mypyc, as one group.

Without that variable the package is pure Python, and neither mypy nor a C compiler is asked for. TOKENBOARD_OPT is the
compiler's level, 3 unless given. Which modules are hot is in pyproject.toml, [tool.tokenboard].
"""

import ast
import json
import os
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "src" / "tokenboard"

sys.path.insert(0, str(PACKAGE.parent))
from tokenboard.build_form import MANIFEST, digest  # noqa: E402 - the package is not installed yet


def hot_modules() -> list[str]:
    """Return the hot modules, as paths relative to the package, without suffix: ``usage/meter``."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["tokenboard"]["hot-modules"]
    chosen: dict[str, None] = {}
    for pattern in patterns:
        found = sorted(PACKAGE.glob(pattern.removeprefix("!") + ".py"))
        if not found:
            raise SystemExit(f"pyproject.toml, [tool.tokenboard] hot-modules: there is no {pattern}.py")
        names = [file.relative_to(PACKAGE).with_suffix("").as_posix() for file in found if file.stem != "__init__"]
        if pattern.startswith("!"):
            for name in names:
                del chosen[name]
        else:
            chosen |= dict.fromkeys(names)
    return list(chosen)


def sources_of(modules: Iterable[str]) -> list[str]:
    """Return the paths of all sources of ours that these modules' meaning may depend on: what they import, and so on.

    mypyc takes types and constants out of modules that it does not compile, too.
    """
    found: set[Path] = set()
    new = [PACKAGE / f"{module}.py" for module in modules]
    while new:
        source = new.pop()
        if source in found:
            continue
        found.add(source)
        new += _imported_by(source)
    return sorted(source.relative_to(PACKAGE).as_posix() for source in found)


def _imported_by(source: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(source.read_bytes())):
        match node:
            case ast.Import(names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names):
                imported = [module, *(f"{module}.{alias.name}" for alias in names)]
            case _:
                continue
        for name in imported:
            parts = name.split(".")
            if parts[0] != PACKAGE.name:
                continue
            # A package's own file is run before any module in it.
            for length in range(1, len(parts) + 1):
                place = ROOT.joinpath("src", *parts[:length])
                yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.exists())


def compiled() -> list[Extension]:
    """Return the group of compiled modules; C is written to build/mypyc."""
    if find_spec("mypyc") is None:
        raise SystemExit(
            "TOKENBOARD_COMPILE=1 needs mypy and all that tokenboard itself needs where it is built: "
            "`make compile`, or `make wheel-compiled`, or pip with --no-build-isolation in such an environment."
        )
    from mypyc.build import mypycify  # noqa: PLC0415 - there where compiling is asked for

    # mypy takes the paths of modules as they stand in its own settings: from here.
    os.chdir(ROOT)
    files = [str(Path("src", PACKAGE.name, f"{module}.py")) for module in hot_modules()]
    return mypycify(
        ["--config-file=pyproject.toml", *files],
        opt_level=os.environ.get("TOKENBOARD_OPT", "3"),
        debug_level="0",
        group_name=PACKAGE.name,
        target_dir="build/mypyc",
    )


class BuildWithManifest(build_ext):
    """Says beside the compiled modules which they are, and of which sources: tokenboard/build_form.py reads it.

    Until all of them are there the manifest holds no source, which nothing fits.
    """

    def run(self) -> None:
        """Build."""
        place = PACKAGE if self.inplace else Path(self.build_lib, PACKAGE.name)
        modules = hot_modules()
        self._note(place, modules, {})
        super().run()
        self._note(place, modules, {name: digest(PACKAGE / name) for name in sources_of(modules)})

    @staticmethod
    def _note(place: Path, modules: list[str], sources: dict[str, str]) -> None:
        manifest = {"suffix": sysconfig.get_config_var("EXT_SUFFIX"), "modules": modules, "sources": sources}
        place.mkdir(parents=True, exist_ok=True)
        (place / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    if os.environ.get("TOKENBOARD_COMPILE") == "1":
        setup(ext_modules=compiled(), cmdclass={"build_ext": BuildWithManifest})
    else:
        setup()
