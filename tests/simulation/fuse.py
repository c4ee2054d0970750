"""Where a process dies: before or after a call that it makes, as the seed has it."""

from typing import Any


class Crash(BaseException):
    """The process ended here: nothing of it runs any more, what it wrote stays."""


class Fuse:
    """Burns with every point that is passed; at its end the process dies."""

    def __init__(self) -> None:
        self._left: int | None = None

    def light(self, points: int) -> None:
        """Let the process die at the so many-th point from here."""
        self._left = points

    def put_out(self) -> None:
        self._left = None

    def burn(self, point: str) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self._left = None
            raise Crash(point)


class Fragile:
    """Stands for an object; each call of the named methods is a point before it and a point after it."""

    def __init__(self, of: Any, fuse: Fuse, methods: tuple[str, ...]) -> None:
        self._of = of
        self._fuse = fuse
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._of, name)
        if name not in self._methods:
            return found

        def call(*given: Any, **named: Any) -> Any:
            self._fuse.burn(f"before {name}")
            answer = found(*given, **named)
            self._fuse.burn(f"after {name}")
            return answer

        return call


class FragileCommitter(Fragile):
    """Stands for a spool's committer; each transaction is a point before it and a point after it."""

    def __init__(self, of: Any, fuse: Fuse) -> None:
        super().__init__(of, fuse, ())

    def submit(self, write: Any) -> Any:
        self._fuse.burn("before a commit")
        done = self._of.submit(write)
        done.exception()  # waits: what a death leaves behind must not depend on how quick a thread is
        self._fuse.burn("after a commit")
        return done
