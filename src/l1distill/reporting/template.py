"""HTML and Markdown pages from templates, with pictures embedded."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from l1distill.reporting.pictures import Picture


def fill(template: str, package: str = "l1distill.reporting", **values: Any) -> str:
    """Render a template; a name that is not given is an error.

    Args:
        template: its file name.
        package: whose folder ``templates`` holds it; it may extend those of this package.
        values: what it refers to.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("l1distill.reporting")]),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def embed(pictures: Sequence[Picture]) -> list[tuple[str, str]]:
    """Return caption and data URL of each picture."""
    return [
        (picture.caption, "data:image/png;base64," + _base64(picture.path)) for picture in pictures
    ]


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
