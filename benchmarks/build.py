"""What ran: which build of Python, and in which form tokenboard's modules are. Every table says it."""

import functools
import platform
import sysconfig

from tokenboard import BUILD_FORM
from tokenboard.build_form import BuildForm


@functools.cache
def what_ran() -> str:
    """Return the line that stands below every table's heading."""
    return f"{interpreter(sysconfig.get_config_vars())}; tokenboard {form()}."


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


def form(found: BuildForm = BUILD_FORM) -> str:
    """Tell whether tokenboard's hot modules run as written or compiled."""
    return f"with {found.modules} compiled modules" if found.compiled else "in pure Python"
