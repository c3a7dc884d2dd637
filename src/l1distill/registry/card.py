"""Card of a student: what a person should know of it before it runs in a trigger."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from l1distill.compression.structure import KeptStructure
from l1distill.core.errors import DataError
from l1distill.core.workspace import read_json, write_json
from l1distill.registry.intervals import is_number
from l1distill.reporting.tables import Column, Table

NOT_THERE = "–"
RESOURCES = ("lut", "ff", "dsp", "bram")


@dataclass(frozen=True, kw_only=True)
class FirmwareFigures:
    """A network in firmware, as a paper prints it.

    Attributes:
        network: what it is.
        device: FPGA.
        latency_ns: from inputs to output [ns].
        ii_ns: time between two events [ns].
        percent: of the device, by resource (lut, ff, dsp, bram) [%].
        source: the paper.
    """

    network: str
    device: str
    latency_ns: float
    ii_ns: float
    percent: Mapping[str, float]
    source: str


@dataclass(frozen=True, kw_only=True)
class PublishedFirmware:
    """What papers print of firmware for the same problem.

    Attributes:
        rows: one for each network.
        note: why ours differs.
    """

    rows: Sequence[FirmwareFigures]
    note: str


@dataclass(frozen=True, kw_only=True)
class StudentCard:
    """What is known of a student, apart from what becomes of it.

    Attributes:
        title: of its problem.
        summary: what it does.
        shape: of an item that it scores.
        tables: physics and firmware, beside teacher and papers.
        pictures: stage, path within its folder, and caption of each.
        limitations: one sentence each.
    """

    title: str
    summary: str
    shape: Sequence[int]
    tables: Sequence[Table]
    pictures: Sequence[tuple[str, str, str]] = ()
    limitations: Sequence[str] = field(default=())

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> "StudentCard":
        """Read what :meth:`write` wrote.

        Raises:
            DataError: the file is missing or holds something else.
        """
        content: dict[str, Any] = read_json(path)
        try:
            content["tables"] = [_table(entry) for entry in content["tables"]]
            content["pictures"] = [tuple(entry) for entry in content["pictures"]]
            return cls(**content)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: is no card ({error}); promote the student again") from error


def _table(content: Mapping[str, Any]) -> Table:
    columns = [Column(**column) for column in content["columns"]]
    return Table(**{**content, "columns": columns})


def firmware_table(
    metrics: Mapping[str, float], device: str, published: PublishedFirmware | None
) -> Table:
    """Return a table of a student's firmware, with published networks beside it.

    Args:
        metrics: of the student's firmware.
        device: that it was made for.
        published: what papers print, if they do.
    """
    headings = ("latency [ns]", "II [ns]", *(f"{resource.upper()} [%]" for resource in RESOURCES))
    names = ("latency_ns", "ii_ns", *(f"{resource}_percent" for resource in RESOURCES))
    own = [metrics.get(f"firmware/{name}") for name in names]
    rows = [["**this student**", device, *map(_figure, own)]]
    notes = []
    mismatches, compared = (
        metrics.get(f"firmware/{name}") for name in ("mismatches", "verified_events")
    )
    if is_number(mismatches) and is_number(compared):
        notes.append(
            f"Of {compared:,.0f} events, {mismatches:,.0f} differ between the network, its C++ and "
            "its Verilog. Latency is clock cycles times the period; place and route have not been "
            "run."
        )
    if published is not None:
        for row in published.rows:
            figures = [row.latency_ns, row.ii_ns, *map(row.percent.get, RESOURCES)]
            rows.append([f"{row.network} ({row.source})", row.device, *map(_figure, figures)])
        notes.append(published.note)
    return Table(
        title="Firmware",
        columns=[
            Column(name="network"),
            Column(name="device"),
            *(Column(name=heading, numeric=True) for heading in headings),
        ],
        rows=rows,
        notes=notes,
    )


def structure_table(kept: KeptStructure) -> Table:
    """Return a table of the nodes of each layer that a student was left with.

    Args:
        kept: nodes and features that are left.
    """
    total, of_all = (sum(numbers) for numbers in zip(*kept.nodes.values(), strict=True))
    rows = [[name, str(left), str(of)] for name, (left, of) in kept.nodes.items()]
    return Table(
        title="Nodes and features",
        columns=(
            Column(name="layer"),
            Column(name="nodes left", numeric=True),
            Column(name="of", numeric=True),
        ),
        rows=[*rows, ["all", str(total), str(of_all)]],
        notes=kept.words()[1:],
    )


def _figure(value: float | None) -> str:
    if not is_number(value):
        return NOT_THERE
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
