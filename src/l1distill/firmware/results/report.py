"""The report of a synthesis: resources, latency and mismatches, each with its tool and version."""

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
    *(f"firmware/mismatches{back_end}" for back_end in ("", "_hls", "_rtl", "_cpp")),
    *("firmware/lut_estimate_alkaid", "firmware/register_bits", "firmware/carry"),
    *("firmware/critical_delay_ns", "firmware/slack_ns_estimate"),
)
"""Names of the entries that every report has."""
NO_CLOSURE = "timing closure not demonstrated"


class ReportEntry(Settings):
    """One number of a synthesis report, with its unit and the tool that gave it."""

    name: str = Field(pattern=r"^firmware/[a-z0-9_]+$")
    """The name of the metric in ``metrics.json`` and in the tracking store."""
    value: float
    unit: str
    tool: str = Field(min_length=1)
    version: str = Field(min_length=1)
    kind: Literal["measured", "estimate"]
    """``measured`` was counted or run; ``estimate`` comes from a model of what would be."""
    note: str = ""


class SynthesisReport(Settings):
    """All entries of one synthesis on one device; complete, or refused by the validation."""

    device: Device
    entries: tuple[ReportEntry, ...]

    @model_validator(mode="after")
    def _check_complete(self) -> Self:
        names = [entry.name for entry in self.entries]
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise ValueError(f"entries are missing: {', '.join(missing)}")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"entries are there twice: {', '.join(repeated)}")
        return self

    def __getitem__(self, name: str) -> ReportEntry:
        """Return the entry of this name.

        Raises:
            KeyError: there is none.
        """
        entry = self.get(name)
        if entry is None:
            raise KeyError(name)
        return entry

    def get(self, name: str) -> ReportEntry | None:
        """Return the entry of this name, ``None`` if there is none."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def to_metrics(self) -> dict[str, float]:
        """Return the flat dictionary for ``metrics.json`` and the tracking store."""
        return {entry.name: entry.value for entry in self.entries}

    def to_json(self) -> str:
        """Return the text of ``synthesis.json``."""
        return self.model_dump_json(indent=2) + "\n"

    def save(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a report that :meth:`save` wrote.

        Raises:
            DataError: the file is missing, truncated, incomplete, or holds NaN.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file; run the synthesis that writes it") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "report"
            raise DataError(f"{path}: {where}: {first['msg']}; synthesize again") from error
        except (UnicodeDecodeError, OSError) as error:
            raise DataError(f"{path}: cannot be read ({error}); synthesize again") from error


def with_percentages(entries: Iterable[ReportEntry], device: Device) -> tuple[ReportEntry, ...]:
    """Add to each resource the percentage of the device that it takes.

    Args:
        entries: among them ``firmware/lut``, ``ff``, ``dsp`` and ``bram`` (in BRAM_18K).
        device: gives the available resources.

    Returns:
        The entries, each resource followed by its ``_percent``.
    """
    available = {
        "firmware/lut": device.luts,
        "firmware/ff": device.ffs,
        "firmware/dsp": device.dsps,
        "firmware/bram": device.bram_18k,
    }
    result: list[ReportEntry] = []
    for entry in entries:
        result.append(entry)
        if entry.name in available:
            share = 100.0 * entry.value / available[entry.name]
            note = f"of {available[entry.name]:,} on {device.name}"
            note += f"; {entry.note}" if entry.note else ""
            changed = {"name": f"{entry.name}_percent", "value": share, "unit": "%", "note": note}
            result.append(entry.model_copy(update=changed))
    return tuple(result)
