"""Render recorded results as Markdown: for the pages of results, and for the README's table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docs.generate.text import block, cell, table

DOCS = Path(__file__).parents[1]
QUICK = DOCS / "results" / "quick.json"
STUDY = DOCS / "results" / "study.json"
PAPER = DOCS / "results" / "paper.md"
BENCHMARKS = DOCS / "results" / "benchmarks"
README = DOCS.parent / "README.md"
BEGIN, END = "<!-- results: begin, written by make results -->", "<!-- results: end -->"


def read(path: Path) -> Any:
    """Read a record."""
    return json.loads(path.read_text(encoding="utf-8"))


def _auc(metrics: Mapping[str, float], signal: str) -> str:
    return f"{metrics[f'auc/{signal}']:.3f} ± {metrics[f'auc_error/{signal}']:.3f}"


def signals_table(quick: Mapping[str, Any]) -> str:
    """Return teacher and student beside the published AUC, a row a signal."""
    teacher, student = quick["metrics"]["teacher"], quick["metrics"]["student"]
    rows = [
        (
            signal["title"],
            _auc(teacher, signal["name"]),
            _auc(student, signal["name"]),
            f"{signal['published']:.2f}",
        )
        for signal in quick["signals"]
    ]
    return table(("signal", "teacher AUC", "student AUC", "published AUC"), rows)


_COUNTED = ("used", "before")


def firmware_sentence(quick: Mapping[str, Any]) -> str:
    """Return size, cost and exactness of the student in a few sentences."""
    student, teacher = quick["metrics"]["student"], quick["metrics"]["teacher"]
    firmware, device = quick["metrics"]["synthesize"], quick["device"]
    differ, events = firmware["firmware/mismatches"], firmware["firmware/verified_events"]
    left = ""
    if "nodes_used" in student:  # others were switched off while it was trained
        counts = [student[f"{of}_{when}"] for of in ("nodes", "features") for when in _COUNTED]
        left = "{:.0f} of {:.0f} nodes, {:.0f} of {:.0f} inputs and ".format(*counts)
    return (
        f"The student has {left}{student['parameters']:.0f} parameters (teacher: "
        f"{teacher['parameters']:.0f}), {student['sparsity']:.0%} of its weights zero. On a "
        f"{device['name']} at {device['clock_mhz']:g} MHz it takes "
        f"{firmware['firmware/latency_cycles']:.0f} cycles "
        f"({firmware['firmware/latency_ns']:g} ns, timing closure not demonstrated), II "
        f"{firmware['firmware/ii_cycles']:.0f}, {firmware['firmware/lut']:,.0f} LUT "
        f"({firmware['firmware/lut_percent']:.1f}%, before packing), "
        f"{firmware['firmware/ff']:,.0f} FF, {firmware['firmware/dsp']:.0f} DSP, "
        f"{firmware['firmware/bram']:.0f} BRAM. "
        f"{differ:.0f} of {events:,.0f} events differ between QKeras, the C simulation of HLS, the "
        "emulators of the Verilog and the simulated Verilog."
    )


def verdict_table(record: Mapping[str, Any]) -> str:
    """Return what the gates said of the student, a row a gate."""
    rows = [
        (
            gate["gate"],
            f"`{gate['metric']}`",
            "missing" if gate["value"] is None else f"{gate['value']:.4g}",
            gate["threshold"],
            "passed" if gate["passed"] else f"refused: {gate['reason']}",
        )
        for gate in record["gates"]
    ]
    return table(("gate", "metric", "value", "threshold", "verdict"), rows)


def readme_block(quick: Mapping[str, Any]) -> str:
    """Return what stands between the markers in the README."""
    return f"{BEGIN}\n{signals_table(quick)}\n{firmware_sentence(quick)}\n{END}"


def in_readme(text: str, quick: Mapping[str, Any]) -> str:
    """Return the README's text with the results of a record in it.

    Raises:
        ValueError: the README has lost its markers.
    """
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"README.md: the lines {BEGIN} and {END} are missing")
    return before + readme_block(quick) + after


def provenance(quick: Mapping[str, Any]) -> str:
    """Return which command made the record, on what, and with which code."""
    return (
        f"Written by `{quick['command']}` and taken over by `make results`: seed {quick['seed']}, "
        f"{quick['background']:,} background events, {quick['signal']:,} of each signal, data set "
        f"MD5 `{quick['dataset_md5'][:12]}`, recorded at commit `{quick['commit'][:12]}`.\n"
    )


def quick_page(quick: Mapping[str, Any]) -> str:
    """Return the page on what ``make repro`` gives."""
    entries = [
        (
            f"`{entry['name']}`",
            f"{entry['value']:.4g}" if entry["value"] % 1 else f"{entry['value']:,.0f}",
            entry["unit"],
            entry["kind"],
            f"{entry['tool']} {entry['version']}",
            entry["note"],
        )
        for entry in quick["entries"]
    ]
    return "\n".join(
        (
            "# The pipeline on the quick profile\n",
            provenance(quick),
            "## Teacher and student\n",
            signals_table(quick),
            f"Published: {quick['published_source']}. {quick['why']} Uncertainties are those of "
            "the test sample.\n",
            "## Firmware\n",
            firmware_sentence(quick) + "\n",
            table(("figure", "value", "unit", "kind", "tool", "note"), entries),
            "## Promotion\n",
            verdict_table(quick),
        )
    )


def study_page(study: Mapping[str, Any], paper: str | None) -> str:
    """Return the page on the study: tables of ``l1distill paper``, and figures carried over."""
    parts = ["# The study of autoencoders\n"]
    if paper is not None:
        parts += [paper, "\n# Figures of an earlier run\n"]
    parts += [study["provenance"] + "\n", block(study["commands"])]
    for part in study["tables"]:
        parts += [f"## {part['title']}\n", table(part["columns"], part["rows"])]
        parts += [f"{note}\n" for note in part["notes"]]
    return "\n".join(parts)


def benchmarks_page(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page on the benchmarks, a section each."""
    parts = ["# Benchmarks\n", "Each benchmark prints its table; `--record` keeps it here.\n"]
    for record in records.values():
        parts += [
            f"## {record['title']}\n",
            f"{record['summary']}\n",
            block([record["command"]]),
            table(record["columns"], record["rows"]),
            *(f"{cell(note)}\n" for note in record["notes"]),
            f"{record['provenance']}\n",
        ]
    return "\n".join(parts)
