"""What a person reads in a bundle: the model card and the report of figures."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.network import Network
from l1distill.firmware.results.report import Figure, Figures
from l1distill.firmware.rtl.verilog import RtlReport

CARD = "MODEL_CARD.md"
REPORT = "REPORT.md"
HEADLINES = (
    *("latency_cycles", "latency_ns", "slack_ns_estimate", "ii_cycles"),
    *("lut", "ff", "dsp", "bram"),
)
"""The figures of the card, without their prefix."""


class Quantity(NamedTuple):
    """What a number of the network means."""

    name: str
    unit: str = ""
    scale: float = 1.0
    """How much of the unit a 1 stands for."""


class ModelDescription(NamedTuple):
    """What the network is, which only who made it knows."""

    title: str
    summary: str
    inputs: tuple[Quantity, ...] = ()
    """One an input; empty where nothing is known of them."""
    outputs: tuple[Quantity, ...] = ()
    limitations: tuple[str, ...] = ()


ANY_NETWORK = ModelDescription("A quantized network", "Nothing was said about where it comes from.")


def write_documents(
    subject: ModelDescription, network: Network, rtl: RtlReport, figures: Figures, folder: Path
) -> None:
    """Writes :data:`CARD` and :data:`REPORT`, the same bytes for the same firmware.

    Args:
        subject: what the network is.
        network: its layers and types.
        rtl: the buses of the design.
        figures: what the synthesis found.
        folder: where to write.
    """
    values = {
        "subject": subject,
        "network": network,
        "device": figures.device,
        "input_bus": rtl.input_port,
        "output_bus": rtl.output_port,
        "inputs": _inputs(subject, network),
        "outputs": _outputs(subject, network),
        "layers": [_layer(layer) for layer in network.layers],
        "headlines": [_headline(figures, name) for name in HEADLINES],
        "checks": [f for f in figures.figures if f.name.startswith("firmware/mismatches_")],
        "mismatches": figures["firmware/mismatches"],
        "figures": figures.figures,
    }
    for name in (CARD, REPORT):
        (folder / name).write_text(_fill(f"{name}.j2", values), encoding="utf-8")


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


def _inputs(subject: ModelDescription, network: Network) -> list[tuple[str, str]]:
    named = subject.inputs or tuple(Quantity(f"input {i}") for i in range(network.inputs))
    steps = (network.input_units * network.input_type.step).tolist()
    return _codes(named, steps)


def _outputs(subject: ModelDescription, network: Network) -> list[tuple[str, str]]:
    number = network.outputs
    named = subject.outputs or tuple(Quantity(f"output {i}") for i in range(number))
    return _codes(named, [network.output_type.step] * number)


def _codes(quantities: Sequence[Quantity], steps: Sequence[float]) -> list[tuple[str, str]]:
    """Returns for each number what it is, and what a code of 1 stands for."""
    return [
        (quantity.name, f"{quantity.scale * step:.10g} {quantity.unit}".strip())
        for quantity, step in zip(quantities, steps, strict=True)
    ]


def _layer(layer: Any) -> tuple[str, str, str]:
    """Returns a layer's name, its kind, and its constants or type in words."""
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


def _bare(kind: FixedPoint) -> str:
    """A type of constants, which are neither rounded nor clipped any more."""
    return kind.hls.replace(f",{kind.rounding},{kind.overflow}", "")


def _headline(figures: Figures, name: str) -> tuple[Figure, Figure | None]:
    """Returns a figure, and the share of the device where it is a resource."""
    percent = [f for f in figures.figures if f.name == f"firmware/{name}_percent"]
    return figures[f"firmware/{name}"], percent[0] if percent else None
