"""Read what a Python file imports, from its syntax tree; nothing is imported."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from l1distill.core.errors import ConfigError


@dataclass(frozen=True)
class Imports:
    """What a file, or a part of it, imports and uses."""

    modules: tuple[str, ...]
    """From ``import a.b``: modules of any package."""
    names: tuple[tuple[str, str], ...]
    """From ``from a.b import c``: (a.b, c), where c may be a module."""
    strings: tuple[str, ...]
    """String constants with a dot: they may be names of modules or files. Constant parts of
    f-strings are there too, with an asterisk in front."""
    attributes: frozenset[str]
    """Names behind a dot: among them the methods that are called."""


@dataclass(frozen=True)
class Source:
    """A parsed file."""

    main: Imports
    """Of all but the methods."""
    methods: tuple[tuple[str, Imports], ...]
    """Of each method that is called by its name."""


def read_source(path: Path, module: str) -> Source:
    """Parse a file, once for each content.

    Args:
        path: the file.
        module: its dotted name, which relative imports refer to.

    Raises:
        ConfigError: it is no valid Python.
    """
    stat = path.stat()
    return _parsed(path, module, (stat.st_size, stat.st_mtime_ns))


@cache
def _parsed(path: Path, module: str, _identity: tuple[int, int]) -> Source:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise ConfigError(f"{path}: line {error.lineno}: {error.msg}") from error
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    methods = [
        method
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and _is_called_by_name(method)
    ]
    main = _imports_of(_nodes(tree, without=methods), package)
    return Source(
        main, tuple((method.name, _imports_of(_nodes(method), package)) for method in methods)
    )


def _is_called_by_name(method: ast.FunctionDef) -> bool:
    """Return whether a method runs only where its name is: no dunder, no hook of a decorator."""
    decorators = {ast.unparse(decorator) for decorator in method.decorator_list}
    return not method.name.startswith("__") and decorators <= {
        "property",
        "staticmethod",
        "classmethod",
    }


def _imports_of(nodes: Iterable[ast.AST], package: str) -> Imports:
    modules: list[str] = []
    names: list[tuple[str, str]] = []
    strings: list[str] = []
    attributes: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*base, source] if source else base)
            names += [(source, alias.name) for alias in node.names]
        elif isinstance(node, ast.Attribute):
            attributes.add(node.attr)
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
            strings += [f"*{part}" for part in parts if isinstance(part, str)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            strings.append(node.value)
    return Imports(tuple(modules), tuple(names), tuple(strings), frozenset(attributes))


def _nodes(tree: ast.AST, without: Sequence[ast.AST] = ()) -> Iterator[ast.AST]:
    """Walk a syntax tree but for some of its nodes, and for what only type checkers see."""
    pending, skipped = [tree], set(map(id, without))
    while pending:
        node = pending.pop()
        yield node
        children = ast.iter_child_nodes(node)
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            children = iter(node.orelse)
        pending += [child for child in children if id(child) not in skipped]


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
