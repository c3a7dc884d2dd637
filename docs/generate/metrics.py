"""Describe metrics: the table of the reference, and which description a name has."""

import re
from functools import cache
from pathlib import Path

from omegaconf import OmegaConf

from docs.generate.text import table

DESCRIPTIONS = Path(__file__).parents[1] / "reference" / "metrics.yaml"
_WORD = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_PLACEHOLDERS = {
    "score": "(?:mse|kl|rz|nll|rank_ht|own_teacher)",
    "point": "1e-[2-5]",
    "model": "(?:logit|own_teacher)",
    "share": "(?:50|80)",
    "percent": "[0-9]+",
    "resource": "(?:lut|ff|dsp|bram)",
    "quantity": "(?:latency_cycles|ii_cycles|clock_ns|lut|ff|dsp|bram)",
}


@cache
def descriptions() -> dict[str, dict[str, str]]:
    """Read the patterns of names with their meaning, by the stages that write them."""
    content = OmegaConf.to_container(OmegaConf.load(DESCRIPTIONS))
    assert isinstance(content, dict)
    return {str(stage): dict(entries) for stage, entries in content.items()}


def expression(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern with names in angle brackets."""
    parts = re.split(r"<(\w+)>", pattern)
    plain = [re.escape(part) for part in parts[::2]]
    names = [_PLACEHOLDERS.get(name, _WORD) for name in parts[1::2]]
    return re.compile("".join(a + b for a, b in zip(plain, [*names, ""], strict=True)))


def patterns_of(name: str) -> list[str]:
    """Return the patterns that describe a metric; there should be exactly one."""
    return [
        pattern
        for entries in descriptions().values()
        for pattern in entries
        if expression(pattern).fullmatch(name)
    ]


def page() -> str:
    """Return the reference of the metrics as Markdown."""
    parts = []
    for stage, entries in descriptions().items():
        rows = [(f"`{name}`", meaning) for name, meaning in entries.items()]
        parts += [f"## {stage}\n", table(("metric", "meaning"), rows)]
    return "\n".join(parts)
