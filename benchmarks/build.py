"""What ran: which build of Python, and in which form tokenboard's modules are. Every table says it."""

import functools
import platform
import sysconfig
from importlib.util import find_spec
from pathlib import Path


@functools.cache
def what_ran() -> str:
    """Return the line that stands below every table's heading."""
    return f"{interpreter(sysconfig.get_config_vars())}; tokenboard {form('tokenboard')}."


def interpreter(built_with: dict[str, str | int | None]) -> str:
    """Tell the interpreter and whether it was built with profile-guided optimization (PGO).

    ``built_with`` are the variables of `sysconfig`. ``--enable-optimizations`` says that it was. Debian builds with
    profiles by rules of its own and takes every trace of them out of what `sysconfig` returns, even the compiler's
    flag that ``configure`` always leaves there: that gap is how its build is known.
    """
    name = f"{platform.python_implementation()} {platform.python_version()}"
    if "--enable-optimizations" in str(built_with.get("CONFIG_ARGS") or ""):
        return f"{name}, built with PGO"
    if built_with.get("PGO_PROF_USE_FLAG") == "":
        return f"{name}, its distribution's build (Debian's has PGO; it is not recorded)"
    return f"{name}, built without PGO"


def form(package: str) -> str:
    """Tell whether a package's modules run as written or compiled.

    Of the modules that lie there compiled those count that would be imported: sources may be taken before them.
    """
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    compiled = 0
    for file in folder.rglob(f"*{suffix}"):
        module = ".".join((package, *file.relative_to(folder).parent.parts, file.name.removesuffix(suffix)))
        runs = find_spec(module)
        compiled += runs is not None and str(runs.origin).endswith(suffix)
    return f"with {compiled} compiled module{'s' if compiled > 1 else ''}" if compiled else "in pure Python"
