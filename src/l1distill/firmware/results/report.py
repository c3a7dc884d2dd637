"""The figures of a synthesis: each with its unit, its tool, and whether it was measured."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from l1distill.core.errors import DataError
from l1distill.core.settings import Settings
from l1distill.firmware.devices import Device

RESOURCES = ("lut", "ff", "dsp", "bram")
REQUIRED = (
    *("firmware/latency_cycles", "firmware/latency_ns", "firmware/ii_cycles"),
    *(f"firmware/{resource}" for resource in RESOURCES),
    *(f"firmware/{resource}_percent" for resource in RESOURCES),
    *(f"firmware/mismatches{kind}" for kind in ("", "_hls", "_rtl", "_cpp")),
    *("firmware/lut_estimate_alkaid", "firmware/register_bits", "firmware/carry"),
    *("firmware/critical_delay_ns", "firmware/slack_ns_estimate"),
)
"""A report without one of these is not a report."""
NO_CLOSURE = "timing closure not demonstrated"


class Figure(Settings):
    """One number and where it comes from."""

    name: str = Field(pattern=r"^firmware/[a-z0-9_]+$")
    value: float
    unit: str
    tool: str = Field(min_length=1)
    version: str = Field(min_length=1)
    kind: Literal["measured", "estimate"]
    """``measured`` was counted or run; ``estimate`` comes from a model of what would be."""
    note: str = ""


class Figures(Settings):
    """All figures of one synthesis on one device; complete, or not there at all."""

    device: Device
    figures: tuple[Figure, ...]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        names = [figure.name for figure in self.figures]
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise ValueError(f"figures are missing: {', '.join(missing)}")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"figures are there twice: {', '.join(twice)}")
        return self

    def __getitem__(self, name: str) -> Figure:
        """Returns the figure of that name.

        Raises:
            KeyError: there is none.
        """
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)

    def to_metrics(self) -> dict[str, float]:
        """Returns the flat dictionary that goes into ``metrics.json`` and the tracking store."""
        return {figure.name: figure.value for figure in self.figures}

    def save(self, path: Path) -> None:
        """Writes the report as JSON."""
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a report that :meth:`save` wrote.

        Raises:
            DataError: it is missing, truncated, incomplete, or holds NaN.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file; run the synthesis that writes it") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "report"
            raise DataError(f"{path}: {where}: {first['msg']}; synthesize anew") from error
        except (UnicodeDecodeError, OSError) as error:
            raise DataError(f"{path}: cannot be read ({error}); synthesize anew") from error


def with_percentages(figures: Iterable[Figure], device: Device) -> tuple[Figure, ...]:
    """Adds to each resource the share of the device that it takes [%].

    Args:
        figures: among them ``firmware/lut``, ``ff``, ``dsp`` and ``bram`` (in BRAM_18K).
        device: what there is.

    Returns:
        The figures, each resource followed by its ``_percent``.
    """
    available = {
        "firmware/lut": device.luts,
        "firmware/ff": device.ffs,
        "firmware/dsp": device.dsps,
        "firmware/bram": device.bram_18k,
    }
    result: list[Figure] = []
    for figure in figures:
        result.append(figure)
        if figure.name in available:
            share = 100.0 * figure.value / available[figure.name]
            note = f"of {available[figure.name]:,} on {device.name}"
            note += f"; {figure.note}" if figure.note else ""
            changed = {"name": f"{figure.name}_percent", "value": share, "unit": "%", "note": note}
            result.append(figure.model_copy(update=changed))
    return tuple(result)
