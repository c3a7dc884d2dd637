"""The documents of a bundle in Markdown: the model card, and the report with all its entries."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from l1distill.firmware.files import MODEL_CARD, REPORT
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.network import Network
from l1distill.firmware.results.report import ReportEntry, SynthesisReport
from l1distill.firmware.rtl.verilog import RtlReport

HEADLINES = (
    *("latency_cycles", "latency_ns", "slack_ns_estimate", "ii_cycles"),
    *("lut", "ff", "dsp", "bram"),
)
"""The entries that the card shows, without their prefix."""


@dataclass(frozen=True)
class Quantity:
    """The meaning of an input or output of a network."""

    name: str
    unit: str = ""
    scale: float = 1.0
    """The value of a 1 at the network's input or output, in ``unit``."""


@dataclass(frozen=True)
class ModelDescription:
    """What the model card states about a network beyond what its layers and types show."""

    title: str
    summary: str
    inputs: tuple[Quantity, ...] = ()
    """One for each input; empty where nothing is known about them."""
    outputs: tuple[Quantity, ...] = ()
    limitations: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    """How far the network is from the model in floating point that it was made of."""


ANY_NETWORK = ModelDescription(
    title="A quantized network", summary="Nothing was said about where it comes from."
)


def render_documents(
    description: ModelDescription, network: Network, rtl: RtlReport, report: SynthesisReport
) -> dict[str, str]:
    """Render the model card and the report, the same text for the same firmware.

    Args:
        description: of the model.
        network: gives layers and types.
        rtl: gives the buses of the design.
        report: of the synthesis.

    Returns:
        The text of ``MODEL_CARD.md`` and ``REPORT.md``, by file name.

    Raises:
        ValueError: the description has another number of inputs or outputs than the network.
    """
    values = {
        "description": description,
        "network": network,
        "device": report.device,
        "input_bus": rtl.input_port,
        "output_bus": rtl.output_port,
        "inputs": _inputs(description, network),
        "outputs": _outputs(description, network),
        "layers": [_layer(layer) for layer in network.layers],
        "headlines": [_headline(report, name) for name in HEADLINES],
        "checks": [e for e in report.entries if e.name.startswith("firmware/mismatches_")],
        "mismatches": report["firmware/mismatches"],
        "entries": report.entries,
    }
    return {name: _fill(f"{name}.j2", values) for name in (MODEL_CARD, REPORT)}


def _fill(template: str, values: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # Markdown, not HTML: nothing to escape but the cells of tables
        loader=PackageLoader("l1distill.firmware.results"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = _number
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|")
    return environment.get_template(template).render(**values)


def _number(value: float) -> str:
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def _inputs(description: ModelDescription, network: Network) -> list[tuple[str, str]]:
    named = description.inputs or tuple(
        Quantity(name=f"input {number}") for number in range(network.inputs)
    )
    return _rows(named, (network.input_units * network.input_type.step).tolist())


def _outputs(description: ModelDescription, network: Network) -> list[tuple[str, str]]:
    named = description.outputs or tuple(
        Quantity(name=f"output {number}") for number in range(network.outputs)
    )
    return _rows(named, [network.output_type.step] * network.outputs)


def _rows(quantities: Sequence[Quantity], steps: Sequence[float]) -> list[tuple[str, str]]:
    """Return the name of each quantity, and the value of its code 1 with the unit."""
    return [
        (quantity.name, f"{quantity.scale * step:.10g} {quantity.unit}".strip())
        for quantity, step in zip(quantities, steps, strict=True)
    ]


def _layer(layer: Any) -> tuple[str, str, str]:
    """Return a layer's name, its class, and its constants or type in words."""
    values = {field.name: getattr(layer, field.name) for field in fields(layer)}
    words = [
        f"{name} {' x '.join(map(str, value.shape))} of {_bare(values[f'{name}_type'])}, "
        f"{100 * np.mean(value == 0):.0f}% zero"
        for name, value in values.items()
        if isinstance(value, np.ndarray)
    ]
    if "type" in values:
        words.append(values["type"].hls)
    return layer.name, type(layer).__name__, "; ".join(words)


def _bare(constants_type: FixedPoint) -> str:
    """Return the name of a type without rounding and overflow, which constants do not need."""
    return constants_type.hls.replace(f",{constants_type.rounding},{constants_type.overflow}", "")


def _headline(report: SynthesisReport, name: str) -> tuple[ReportEntry, ReportEntry | None]:
    """Return an entry, and its percentage of the device where it is a resource."""
    return report[f"firmware/{name}"], report.get(f"firmware/{name}_percent")
