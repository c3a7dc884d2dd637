"""Find the files beside Python modules that belong to them: templates, constants, C++ sources."""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

CONFIGURATION = "conf"
"""Folder of configuration files: no source, what is composed of them is known to who composes."""
TEMPLATE = ".j2"
_NAME = re.compile(r"[\w-][\w.-]*\.j2")
_QUOTED_NAME = re.compile(rf"[\"']({_NAME.pattern})[\"']")


def is_template_name(text: str) -> bool:
    """Return whether a string is the whole file name of a template."""
    return _NAME.fullmatch(text) is not None


def data_files(
    folders: Iterable[Path], template_names: Iterable[str], all_templates_of: Collection[Path]
) -> Iterator[tuple[Path, Path]]:
    """Yield the files that belong to packages and are not Python.

    They stand in a package's folder, or in a folder below it that is no package. A template counts
    only if its name is given, or stands in quotes in a template that counts.

    Args:
        folders: of packages.
        template_names: file names of templates.
        all_templates_of: folders whose templates all count.

    Yields:
        The package's folder and the file.
    """
    templates: dict[str, list[tuple[Path, Path]]] = {}
    pending = list(template_names)
    for folder in folders:
        for path in _below(folder):
            if path.suffix != TEMPLATE:
                yield folder, path
                continue
            templates.setdefault(path.name, []).append((folder, path))
            if folder in all_templates_of:
                pending.append(path.name)
    while pending:
        for folder, path in templates.pop(pending.pop(), []):
            yield folder, path
            pending += _QUOTED_NAME.findall(path.read_text(encoding="utf-8"))


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith((".", "__pycache__")):
            continue
        if path.is_file():
            if path.suffix not in {".py", ".pyc", ".pyi"}:
                yield path
        elif path.name != CONFIGURATION and not (path / "__init__.py").is_file():
            yield from _below(path)
