"""What compiled modules must not do, as mypyc makes something else of it than Python does."""

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = ROOT / "src" / "tokenboard"
HOT = [SOURCES / f"{module}.py" for module in runpy.run_path(str(ROOT / "setup.py"))["hot_modules"]()]
WAITS = (ast.Await, ast.Yield, ast.YieldFrom, ast.AsyncFor, ast.AsyncWith)


def tree(source: Path) -> ast.Module:
    return ast.parse(source.read_bytes())


def waits_with_an_exception(module: ast.AST) -> Iterator[int]:
    """Yield the lines of waits during which an exception is, or may be, being handled."""
    for node in ast.walk(module):
        if isinstance(node, ast.Try):
            handlers = [statement for handler in node.handlers for statement in handler.body]
            for statement in (*handlers, *node.finalbody):
                yield from (found.lineno for found in ast.walk(statement) if isinstance(found, WAITS))
        # Leaving `asyncio.timeout` waits for nothing.
        if isinstance(node, ast.AsyncWith) and "asyncio.timeout(" not in ast.unparse(node.items[0]):
            yield node.lineno


@pytest.mark.parametrize("source", HOT, ids=lambda source: source.relative_to(SOURCES).as_posix())
def test_nothing_waits_while_it_handles_an_exception(source: Path) -> None:
    # Python keeps the exception that is handled with the coroutine; mypyc leaves it to whatever runs meanwhile, and to
    # everything after that: a bare `raise` behind the wait raises another one, and frames are kept alive for ever.
    assert [] == list(waits_with_an_exception(tree(source)))


def test_such_waits_are_seen() -> None:
    text = """
async def f():
    try:
        await a()
    except ValueError:
        await b()
        raise
    finally:
        if c:
            await d()
    async with e():
        pass
"""
    assert [6, 10, 11] == sorted(set(waits_with_an_exception(ast.parse(text))))


def names_of_several_exceptions(module: ast.AST) -> Iterator[int]:
    """Yield the lines of functions in which one name stands for exceptions of several types."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            handlers = [found for found in ast.walk(node) if isinstance(found, ast.ExceptHandler) and found.name]
            types = {(handler.name, ast.dump(handler.type)) for handler in handlers if handler.type is not None}
            if len(types) > len({name for name, _ in types}):
                yield node.lineno


@pytest.mark.parametrize("source", HOT, ids=lambda source: source.relative_to(SOURCES).as_posix())
def test_no_name_stands_for_exceptions_of_several_types(source: Path) -> None:
    # To mypyc it is of the first type in the whole function, and the second exception becomes a TypeError.
    assert [] == list(names_of_several_exceptions(tree(source)))


def test_such_names_are_seen() -> None:
    text = """
def f():
    try:
        g()
    except KeyError as error:
        h(error)
    except OSError as error:
        h(error)

def g():
    try:
        g()
    except KeyError as one:
        h(one)
    except OSError as other:
        h(other)
"""
    assert [2] == list(names_of_several_exceptions(ast.parse(text)))


def test_no_class_of_msgspec_is_compiled() -> None:
    classes = [node for source in HOT for node in ast.walk(tree(source)) if isinstance(node, ast.ClassDef)]

    assert [] == [node.name for node in classes if {"Struct", "msgspec.Struct"} & set(map(ast.unparse, node.bases))]


def test_nothing_that_is_not_compiled_inherits_from_what_is() -> None:
    compiled = {node.name for source in HOT for node in ast.walk(tree(source)) if isinstance(node, ast.ClassDef)}
    heirs = [
        f"{source.relative_to(ROOT)}: {node.name}"
        for folder in ("src", "tests", "benchmarks")
        for source in (ROOT / folder).rglob("*.py")
        if source not in HOT
        for node in ast.walk(tree(source))
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) in compiled for base in node.bases)
    ]

    assert [] == heirs
