"""Find the source files that a module depends on, by its imports, and hash them.

Everything is read from the syntax trees; nothing is imported. A result that was made with a set
of modules is out of date when :func:`closure_sha256` of these modules has changed.
"""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from l1distill.core.errors import ConfigError
from l1distill.core.workspace import file_sha256

PACKAGE = __name__.partition(".")[0]
CONFIGURATION = "conf"
"""Folder of configuration files: no source, what is composed of them is known to who composes."""


@dataclass(frozen=True)
class Closure:
    """All that some modules depend on."""

    modules: frozenset[str]
    """Dotted names of the modules themselves and of those that they import."""
    files: dict[str, Path]
    """Their files, by the path relative to the folder that their package stands in."""
    third_party: frozenset[str]
    """Top-level names of the other packages that they import, without the standard library."""


@dataclass(frozen=True)
class _Imports:
    """The imports of one file."""

    modules: tuple[str, ...]
    """From ``import a.b``: modules of any package."""
    names: tuple[tuple[str, str], ...]
    """From ``from a.b import c``: (a.b, c), where c may be a module."""
    strings: tuple[str, ...]
    """String constants that may be dotted names of modules of the packages that are followed."""


@dataclass
class _Search:
    """The state of a search: what has been reached, and what has still to be read."""

    roots: dict[str, Path]
    """The folder that each followed package stands in, by its top-level name."""
    reached: dict[str, Path] = field(default_factory=dict)
    """Files by module; the parents of a module among them."""
    named: set[str] = field(default_factory=set)
    """Modules that are imported by name, and not only as the parent of another."""
    third_party: set[str] = field(default_factory=set)
    pending: list[str] = field(default_factory=list)
    _found: dict[str, Path | None] = field(default_factory=dict)

    def find(self, module: str) -> Path | None:
        """Return the file of a module of the packages that are followed, or None."""
        root = self.roots.get(module.partition(".")[0])
        if root is None:
            return None
        if module not in self._found:
            self._found[module] = _file_of(root, module)
        return self._found[module]

    def add(self, module: str) -> None:
        """Reach a module by its name, and its parents on the way."""
        if module in self.named:
            return
        self.named.add(module)
        self.pending.append(module)
        parts = module.split(".")
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[:length])
            if name not in self.reached and (file := self.find(name)) is not None:
                self.reached[name] = file
                if name != module:
                    self.pending.append(name)

    def add_import(self, module: str) -> None:
        """Follow an import of a module, which may be of a package that is not followed."""
        top = module.partition(".")[0]
        if top not in self.roots:
            if top not in sys.stdlib_module_names:
                self.third_party.add(top)
        elif self.find(module) is not None:
            self.add(module)

    def read(self, module: str) -> None:
        """Follow all imports of a module that has been reached."""
        imports = _imports(self.reached[module], module)
        for imported in imports.modules:
            self.add_import(imported)
        for source, name in imports.names:
            submodule = f"{source}.{name}"
            if self.find(submodule) is not None:
                self.add(submodule)
            elif not (name.startswith("__") and source.partition(".")[0] in self.roots):
                self.add_import(source)  # __version__ alone does not need what __init__ names
        if module in self.named:
            for text in imports.strings:
                if self.find(text) is not None:
                    self.add(text)


def import_closure(module: str, root: Path | None = None) -> tuple[Path, ...]:
    """Find the files that a module depends on.

    Args:
        module: the dotted name of a module of this package or of another.
        root: the folder that the module's package stands in; found by Python's rules if None.

    Returns:
        The sorted files of the module and of all modules that it imports, directly or not, of
        its own package and of this one. See :func:`closure_of` for what counts as an import.

    Raises:
        ConfigError: there is no such module, or a file is no valid Python.
    """
    return tuple(sorted(closure_of([module], root).files.values()))


def closure_sha256(modules: Iterable[str], root: Path | None = None) -> str:
    """Hash the names and contents of the files that modules depend on.

    Args:
        modules: dotted names, in any order.
        root: as for :func:`import_closure`.

    Returns:
        A hexadecimal SHA-256, the same in every checkout of the same sources.

    Raises:
        ConfigError: there is no such module, or a file is no valid Python.
    """
    return files_sha256(closure_of(modules, root))


def files_sha256(closure: Closure) -> str:
    """Hash the names and contents of the files of a closure."""
    lines = (f"{name}\0{file_sha256(path)}\n" for name, path in sorted(closure.files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def closure_of(modules: Iterable[str], root: Path | None = None) -> Closure:
    """Find all that modules depend on.

    Imports are followed wherever they stand, also inside functions, but for those under
    ``if TYPE_CHECKING:``. Importing a module imports its parents. A string that is the dotted
    name of a module counts as an import of it: so are workers of subprocesses and lazily loaded
    modules named. (Strings of an ``__init__`` count only if the package is imported by name, not
    as the parent of one of its modules.) Files that are not Python and stand in the folder of a
    module, or in a folder below it that is no package, belong to the module: templates, measured
    constants, C++ sources.

    Args:
        modules: dotted names.
        root: as for :func:`import_closure`.

    Raises:
        ConfigError: there is no such module, or a file is no valid Python.
    """
    search = _Search({PACKAGE: _root_of(PACKAGE)})
    for module in modules:
        top = module.partition(".")[0]
        search.roots.setdefault(top, root or _root_of(top))
        if search.find(module) is None:
            raise ConfigError(f"{module}: no such module in {search.roots[top]}")
        search.add(module)
    while search.pending:
        search.read(search.pending.pop())
    files = dict(search.reached)
    paths = {path: search.roots[name.partition(".")[0]] for name, path in files.items()}
    for module in search.named:
        if "." in module or files[module].name == "__init__.py":
            of_package = search.roots[module.partition(".")[0]]
            paths |= dict.fromkeys(_data_files(files[module].parent), of_package)
    return Closure(
        frozenset(search.reached),
        {path.relative_to(base).as_posix(): path for path, base in paths.items()},
        frozenset(search.third_party),
    )


def _root_of(package: str) -> Path:
    """Find the folder that a top-level package or module stands in, without importing it."""
    if package == PACKAGE:
        return Path(__file__).resolve().parents[2]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None or not spec.has_location:
        raise ConfigError(f"{package}: no such module on Python's path (sys.path)")
    origin = Path(spec.origin).resolve()
    return origin.parents[1] if spec.submodule_search_locations else origin.parent


def _file_of(root: Path, module: str) -> Path | None:
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    path = root.joinpath(*parts)
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file():
            return file
    return None


def _data_files(folder: Path) -> Iterator[Path]:
    """Yield the files that belong to a package's folder and are not Python."""
    for path in folder.iterdir():
        if path.name.startswith((".", "__pycache__")):
            continue
        if path.is_file():
            if path.suffix not in {".py", ".pyc", ".pyi"}:
                yield path
        elif path.name != CONFIGURATION and not (path / "__init__.py").is_file():
            yield from _data_files(path)


def _imports(path: Path, module: str) -> _Imports:
    stat = path.stat()
    return _parsed(path, module, (stat.st_size, stat.st_mtime_ns))


@cache
def _parsed(path: Path, module: str, _identity: tuple[int, int]) -> _Imports:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise ConfigError(f"{path}: line {error.lineno}: {error.msg}") from error
    modules: list[str] = []
    names: list[tuple[str, str]] = []
    strings: list[str] = []
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*base, source] if source else base)
            names += [(source, alias.name) for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            strings.append(node.value)
    return _Imports(tuple(modules), tuple(names), tuple(strings))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a syntax tree but for what only type checkers see."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            pending += node.orelse
        else:
            pending += ast.iter_child_nodes(node)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
