"""The documents of a bundle: model card, report with all its entries, and metadata."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import METADATA, MODEL_CARD, REPORT
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.network import Network
from l1distill.firmware.results.port_table import PortRow, port_rows, render_metadata
from l1distill.firmware.results.quantity import Quantity
from l1distill.firmware.results.report import ReportEntry, SynthesisReport
from l1distill.firmware.rtl.array import ARRAY
from l1distill.firmware.rtl.top import STREAM, TOP
from l1distill.firmware.rtl.verilog import RtlReport

HEADLINES = (
    *("latency_cycles", "latency_ns", "slack_ns_estimate", "ii_cycles"),
    *("lut", "ff", "dsp", "bram"),
)
"""The entries that the card shows, without their prefix."""


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
    description: ModelDescription,
    network: Network,
    emulator: Emulator,
    rtl: RtlReport,
    report: SynthesisReport,
) -> dict[str, str]:
    """Render the model card, the report and the metadata, the same text for the same firmware.

    Args:
        description: of the model.
        network: gives layers and types.
        emulator: gives the types of the library for CMSSW.
        rtl: gives the buses of the design.
        report: of the synthesis.

    Returns:
        The text of ``MODEL_CARD.md``, ``REPORT.md`` and ``metadata.json``, by file name.

    Raises:
        ValueError: the description has another number of inputs or outputs than the network.
    """
    inputs, outputs = _inputs(description, network, rtl), _outputs(description, network, rtl)
    values = {
        "description": description,
        "network": network,
        "device": report.device,
        "rtl": rtl,
        "top": TOP,
        "stream": STREAM,
        "array": ARRAY,
        "copies": report.get("firmware/copies"),
        "inputs": inputs,
        "outputs": outputs,
        "layers": [_layer(layer) for layer in network.layers],
        "headlines": [_headline(report, name) for name in HEADLINES],
        "checks": [e for e in report.entries if e.name.startswith("firmware/mismatches_")],
        "mismatches": report["firmware/mismatches"],
        "entries": report.entries,
    }
    texts = {name: _fill(f"{name}.j2", values) for name in (MODEL_CARD, REPORT)}
    texts[METADATA] = render_metadata(description.title, inputs, outputs, rtl, emulator)
    return texts


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
    environment.filters["value"] = lambda value: f"{value:.10g}"
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|")
    return environment.get_template(template).render(**values)


def _number(value: float) -> str:
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def _inputs(description: ModelDescription, network: Network, rtl: RtlReport) -> list[PortRow]:
    named = description.inputs or tuple(
        Quantity(name=f"input {number}") for number in range(network.inputs)
    )
    steps = (network.input_units * [port.step for port in network.ports]).tolist()
    return port_rows(named, rtl.top_input, network.ports, steps)


def _outputs(description: ModelDescription, network: Network, rtl: RtlReport) -> list[PortRow]:
    number = network.outputs
    named = description.outputs or tuple(Quantity(name=f"output {n}") for n in range(number))
    steps = [network.output_type.step] * number
    return port_rows(named, rtl.top_output, [network.output_type] * number, steps)


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
    if "types" in values:
        bits = [fixed_type.bits for fixed_type in values["types"]]
        words.append(f"{min(bits)} to {max(bits)} bits each, within {layer.type.hls}")
    return layer.name, type(layer).__name__, "; ".join(words)


def _bare(constants_type: FixedPoint) -> str:
    """Return the name of a type without rounding and overflow, which constants do not need."""
    return constants_type.hls.replace(f",{constants_type.rounding},{constants_type.overflow}", "")


def _headline(report: SynthesisReport, name: str) -> tuple[ReportEntry, ReportEntry | None]:
    """Return an entry, and its percentage of the device where it is a resource."""
    return report[f"firmware/{name}"], report.get(f"firmware/{name}_percent")
