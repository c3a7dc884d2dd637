"""Find the source files that a module depends on, by its imports, and hash them.

Everything is read from the syntax trees; nothing is imported. A result that was made with a set
of modules is out of date when :func:`closure_sha256` of these modules has changed.
"""

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from l1distill.core.data_files import TEMPLATE, data_files, is_template_name
from l1distill.core.errors import ConfigError
from l1distill.core.imports import Imports, read_source
from l1distill.core.workspace import file_sha256

PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class Closure:
    """All that some modules depend on."""

    modules: frozenset[str]
    """Dotted names of the modules themselves and of those that they import."""
    files: dict[str, Path]
    """Their files, by the path relative to the folder that their package stands in."""
    third_party: frozenset[str]
    """Top-level names of the other packages that they import, without the standard library."""


@dataclass
class _Search:
    """The state of a search: what has been reached, and what has still to be read."""

    roots: dict[str, Path]
    """The folder that each followed package stands in, by its top-level name."""
    implementations: frozenset[str]
    """Modules of whose methods only those count that are called."""
    reached: dict[str, Path] = field(default_factory=dict)
    """Files by module; the parents of a module among them."""
    named: set[str] = field(default_factory=set)
    """Modules that are imported by name, and not only as the parent of another."""
    third_party: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    """Names behind a dot in all that counts."""
    pending: list[str] = field(default_factory=list)
    uncalled: list[tuple[str, str, Imports]] = field(default_factory=list)
    """Methods that do not count yet: module, name and imports."""
    templates: set[str] = field(default_factory=set)
    """File names of templates that are named in what counts."""
    all_templates_of: set[Path] = field(default_factory=set)
    """Folders of modules that put such names together."""
    _found: dict[str, Path | None] = field(default_factory=dict)

    def root_of(self, module: str) -> Path:
        """Return the folder that a module's package stands in."""
        return self.roots[module.partition(".")[0]]

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
        """Follow the imports of a module that has been reached."""
        source = read_source(self.reached[module], module)
        self.follow(module, source.main)
        for name, imports in source.methods:
            if module in self.implementations:
                self.uncalled.append((module, name, imports))
            else:
                self.follow(module, imports)

    def follow(self, module: str, imports: Imports) -> None:
        """Follow the imports of a module or of one of its methods."""
        self.attributes |= imports.attributes
        for imported in imports.modules:
            self.add_import(imported)
        for source, name in imports.names:
            submodule = f"{source}.{name}"
            if self.find(submodule) is not None:
                self.add(submodule)
            elif not (name.startswith("__") and source.partition(".")[0] in self.roots):
                self.add_import(source)  # __version__ alone does not need what __init__ names
        for text in imports.strings:
            if is_template_name(text):
                self.templates.add(text)
            elif TEMPLATE in text:
                self.all_templates_of.add(self.reached[module].parent)
            elif module in self.named and self.find(text) is not None:
                self.add(text)

    def run(self) -> None:
        """Follow everything, until nothing new is reached."""
        while self.pending:
            while self.pending:
                self.read(self.pending.pop())
            methods, self.uncalled = self.uncalled, []
            for module, name, imports in methods:
                if name in self.attributes:
                    self.follow(module, imports)
                else:
                    self.uncalled.append((module, name, imports))


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


def closure_of(
    modules: Iterable[str], root: Path | None = None, implementations: Iterable[str] = ()
) -> Closure:
    """Find all that modules depend on.

    Imports are followed wherever they stand, also inside functions, but for those under
    ``if TYPE_CHECKING:``. Importing a module imports its parents. A string that is the dotted
    name of a module counts as an import of it: so are workers of subprocesses and lazily loaded
    modules named. (Strings of an ``__init__`` count only if the package is imported by name, not
    as the parent of one of its modules.) Files that are not Python and stand in the folder of a
    module, or in a folder below it that is no package, belong to the module: measured constants,
    C++ sources, templates (``*.j2``: only those that are named).

    Args:
        modules: dotted names.
        root: as for :func:`import_closure`.
        implementations: those of the modules that implement a protocol for the others. What one
            of their methods imports and names counts only if a method of this name is called
            somewhere in the closure: a task's studies do not decide what its data look like.

    Raises:
        ConfigError: there is no such module, or a file is no valid Python.
    """
    search = _Search({PACKAGE: _root_of(PACKAGE)}, frozenset(implementations))
    for module in modules:
        top = module.partition(".")[0]
        search.roots.setdefault(top, root or _root_of(top))
        if search.find(module) is None:
            raise ConfigError(f"{module}: no such module in {search.roots[top]}")
        search.add(module)
    search.run()
    root_of = {search.reached[name].parent: search.root_of(name) for name in search.named}
    paths = {path: search.root_of(name) for name, path in search.reached.items()}
    folders = {
        search.reached[name].parent
        for name in search.named
        if "." in name or search.reached[name].name == "__init__.py"
    }
    for folder, path in data_files(folders, search.templates, search.all_templates_of):
        paths[path] = root_of[folder]
    return Closure(
        frozenset(search.reached),
        {path.relative_to(root).as_posix(): path for path, root in paths.items()},
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
