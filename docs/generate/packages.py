"""Draw and list the packages of the source tree, from import-linter's contracts."""

import ast
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.generate.pictures import BOX, INK, MUTED, arrow, svg, text
from docs.generate.text import bullets, table

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "l1distill"
_SEPARATOR = re.compile(r"[:|]")


def contracts(pyproject: Path = ROOT / "pyproject.toml") -> list[Mapping[str, Any]]:
    """Read the contracts of import-linter."""
    content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    found: list[Mapping[str, Any]] = content["tool"]["importlinter"]["contracts"]
    return found


def layers() -> list[list[str]]:
    """Return the packages, the highest layer first; a layer's packages stand beside each other.

    Packages that a contract only allows for, and that are not there, are left out.
    """
    (contract,) = [one for one in contracts() if one["type"] == "layers"]
    rows = []
    for layer in contract["layers"]:
        names = [name.strip().strip("()") for name in _SEPARATOR.split(layer)]
        there = [name for name in names if _module(name) is not None]
        if there and there != ["__main__"]:
            rows.append(there)
    return rows


def _module(name: str) -> Path | None:
    for path in (SOURCE / name / "__init__.py", SOURCE / f"{name}.py"):
        if path.is_file():
            return path
    return None


def summary(name: str) -> str:
    """Return the first line of the docstring of a package."""
    path = _module(name)
    assert path is not None, name
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").replace("``", "`")


def picture(rows: Sequence[Sequence[str]] | None = None) -> str:
    """Draw the layers: each may import those below it."""
    rows = layers() if rows is None else rows
    width, left, height, gap = 900.0, 30.0, 38.0, 24.0
    per_line = 6
    body: list[str] = []
    y = 26.0
    for number, names in enumerate(rows):
        lines = [names[at : at + per_line] for at in range(0, len(names), per_line)]
        tall = len(lines) * (height + 8) - 8 + (20 if len(names) > 1 else 0)
        if number:
            body.append(arrow(width / 2, y - gap + 2, width / 2, y - 3))
        if len(names) > 1:
            body.append(
                f'<rect x="{left:g}" y="{y:g}" width="{width - 2 * left:g}" height="{tall:g}" '
                f'rx="9" fill="none" stroke="{MUTED}" stroke-dasharray="4 4"/>'
            )
        at = y + (10 if len(names) > 1 else 0)
        for line in lines:
            box = (width - 2 * left - 20 - (len(line) - 1) * 10) / len(line)
            box = min(box, 260.0 if len(names) == 1 else 150.0)
            x = (width - len(line) * box - (len(line) - 1) * 10) / 2
            for name in line:
                body += [
                    f'<rect x="{x:g}" y="{at:g}" width="{box:g}" height="{height:g}" rx="8" '
                    f'fill="{BOX}" stroke="#2f6f9f" stroke-width="1.3"/>',
                    text(x + box / 2, at + height / 2 + 5, name, 14.5, INK),
                ]
                x += box + 10
            at += height + 8
        y += tall + gap
    body.append(text(width / 2, y + 2, "an arrow: may import what is below", 13, MUTED))
    return svg(width, y + 20, "Packages of l1distill and their layers", body)


def page() -> str:
    """Return the picture's place, the rules, and a table of the packages."""
    rows = [(f"`{name}`", summary(name)) for names in layers() for name in names]
    rules = [contract["name"] for contract in contracts()]
    return "\n".join(
        (
            "```{image} ../_generated/layers.svg",
            ":alt: The packages of l1distill in layers; each imports only from those below it",
            ":width: 100%",
            "```\n",
            "The rules are checked by import-linter in `make test`:\n",
            bullets(f"{rule}." for rule in rules),
            table(("package", "what is in it"), rows),
        )
    )
