"""Pages that need nothing beside them."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def fill(template: str, **values: Any) -> str:
    """Fills one of the templates of this package; a name that is not given is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("l1distill.reporting"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def embed(pictures: Sequence[tuple[str, Path]]) -> list[tuple[str, str]]:
    """Turns PNG files, each with its caption, into data URLs."""
    return [
        (caption, "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode())
        for caption, path in pictures
    ]
