"""List the public API for autodoc: what ``import l1distill`` offers, and what extends it."""

import inspect
from typing import Any

import l1distill

EXTENDING = {
    "Tasks": ("l1distill.tasks.base", ("Task",)),
    "Settings of tasks": ("l1distill.tasks.settings", ("SettingsTypes",)),
    "What tasks are given": ("l1distill.tasks.records", ("GenerationServices", "Drawing")),
    "Cost estimate": ("l1distill.firmware.cost", ("estimate", "Cost")),
    "Reading models": ("l1distill.firmware.readers.qkeras", ("from_qkeras",)),
    "Same bytes elsewhere": ("l1distill.core.processor", ("pin_processor_features",)),
    "Errors": (
        "l1distill.core.errors",
        (
            *("L1DistillError", "ConfigError", "DataError", "ToolError", "ResourceError"),
            "NegativeVerdict",
        ),
    ),
}
"""Title to a module and its names: what is public beside ``l1distill`` itself."""


def directive(module: str, name: str, value: Any) -> str:
    """Return the autodoc directive of a name."""
    if inspect.isclass(value):
        return (
            f".. autoclass:: {module}.{name}\n"
            "   :members:\n"
            "   :exclude-members: model_config, model_post_init\n"
            "   :show-inheritance:\n"
        )
    return f".. autofunction:: {module}.{name}\n"


def block(module: str, names: list[str]) -> str:
    """Return the directives of names of a module."""
    loaded = __import__(module, fromlist=["_"])
    lines = [directive(module, name, getattr(loaded, name)) for name in names]
    return "```{eval-rst}\n" + "\n".join(lines) + "```\n"


def page() -> str:
    """Return the API as Markdown: functions first, then records and settings."""
    names = sorted(l1distill.__all__, key=str.lower)
    values = {name: getattr(l1distill, name) for name in names}
    functions = [name for name in names if inspect.isroutine(values[name])]
    settings = [name for name in names if name.endswith("Settings")]
    records = [name for name in names if name not in {*functions, *settings}]
    parts = []
    for title, chosen in (
        ("Functions", functions),
        ("Records", records),
        ("Settings", settings),
    ):
        parts += [f"## {title}\n", block("l1distill", chosen)]
    for title, (module, chosen) in EXTENDING.items():
        parts += [f"## {title}\n", block(module, list(chosen))]
    return "\n".join(parts)
