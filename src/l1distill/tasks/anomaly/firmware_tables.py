"""Tables of firmware in the papers' layout: ours, from logged runs, beside the published."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from l1distill.artifacts.runs import LoggedRun
from l1distill.firmware.results.report import ReportEntry, SynthesisReport
from l1distill.tasks.anomaly import published_firmware as published
from l1distill.tasks.anomaly.published_firmware import Published
from l1distill.tasks.anomaly.study import Cell, Study

NOT_RUN, FAILED = "not run", "failed"
ROWS = (*published.TABLE_III, *published.TABLE_IV, published.DISTILLNET)
SLACK = "slack_ns_estimate"
TOO_SLOW = (
    "With stages that are longer than the clock's period in that delay model, before retiming; a "
    "smaller firmware.latency_cutoff_ns makes them shorter for more cycles"
)
SCORES = {"kl": "D_KL", "sum_mu2": "sum of squares of the means", "mse": "input-output MSE"}


class Commands(NamedTuple):
    """What makes a row that is not there."""

    quantize: str
    synthesize: str


class Ours(NamedTuple):
    """What we have of a published row.

    Attributes:
        run: the run of ``synthesize`` that it comes from, which may have failed; None: no run.
        figures: of a run that did not fail.
        missing: why there are no figures; empty where there are.
    """

    run: LoggedRun | None
    figures: SynthesisReport | None
    missing: str


class Column(NamedTuple):
    """A column's name, and what ours in it is and from which tool."""

    name: str
    source: str = ""


class Row(NamedTuple):
    """A row's name and its cells."""

    model: str
    cells: Sequence[Cell]


class Table(NamedTuple):
    """A table with what there is to say about it."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = ()


def gather(
    study: Study,
    finished: Iterable[LoggedRun],
    failed: Iterable[LoggedRun],
    figures_of: Callable[[LoggedRun], SynthesisReport],
    commands: Commands,
) -> dict[str, Ours]:
    """Finds for each published row the newest run that is about it.

    A network is known by its content: firmware of another network than the study's is left out.

    Args:
        study: the networks in fixed point.
        finished: runs of ``synthesize``, the newest first.
        failed: those that ended in an error, the newest first.
        figures_of: fetches what a run counted.
        commands: what makes a row that is not there.
    """
    finished, failed = list(finished), list(failed)
    found: dict[str, Ours] = {}
    for row in ROWS:
        done = next((run for run in finished if _is_about(row, study, run)), None)
        broken = next((run for run in failed if _is_about(row, study, run)), None)
        if done is not None:
            found[row.key] = Ours(done, figures_of(done), "")
        elif broken is not None:
            found[row.key] = Ours(broken, None, _own_words(broken))
        elif row.network is not None and row.network not in study.quantized:
            found[row.key] = Ours(None, None, f"{NOT_RUN}: {commands.quantize}")
        else:
            found[row.key] = Ours(None, None, f"{NOT_RUN}: {commands.synthesize}")
    return found


def _is_about(row: Published, study: Study, run: LoggedRun) -> bool:
    if run.parameters.get("firmware.device.name") != row.device:
        return False
    if row.network is None:
        return row.shape.items() <= run.parameters.items()
    network = study.quantized.get(row.network)
    return network is not None and run.tags.get("model_sha256") == network.tags["output_sha256"]


def _own_words(run: LoggedRun) -> str:
    """What a failed run said, without the name of the error's class and of a file of its own."""
    said = run.tags.get("error", "Error: no reason was logged").partition(": ")[2]
    return f"{FAILED}: " + re.sub(r" \(log: [^)]*\)", "", said.splitlines()[0])


def tables(found: Mapping[str, Ours]) -> list[Table]:
    """Returns tables III and IV, that of DistillNet, and all of them in absolute numbers."""
    four = _of_teachers("Table IV: firmware on Virtex-7 690T, 5 ns", published.TABLE_IV, found)
    return [
        _of_teachers("Table III: firmware on VU9P, 5 ns", published.TABLE_III, found),
        four._replace(notes=[*four.notes, published.DELAYS_OF_ANOTHER_FAMILY]),
        _of_distillnet(found),
        _absolute(found),
    ]


def _of_teachers(title: str, rows: Sequence[Published], found: Mapping[str, Ours]) -> Table:
    names = {"dsp": "DSP [%]", "lut": "LUT [%]", "ff": "FF [%]", "bram": "BRAM [%]"}
    columns = [
        *(Column(text, _source(found, rows, f"{name}_percent")) for name, text in names.items()),
        Column("Latency [ns]", _source(found, rows, "latency_ns")),
        Column("II [ns]", _source(found, rows, "ii_cycles")),
        Column("behind the network"),
    ]
    made = []
    for row in rows:
        ours = found[row.key]
        cells = [Cell(_value(ours, f"{name}_percent"), f"{row.percent[name]:g}") for name in names]
        cells += (
            Cell(_value(ours, "latency_ns"), f"{row.latency_ns:g}"),
            Cell(_value(ours, "ii_cycles", _period(ours)), f"{row.ii:g}"),
            Cell(_behind(ours), row.behind),
        )
        made.append(Row(row.model, cells))
    return Table(title, columns, made, _missing(rows, found))


def _of_distillnet(found: Mapping[str, Ours]) -> Table:
    row = published.DISTILLNET
    ours = found[row.key]
    names = ("bram", "lut", "ff", "dsp")
    return Table(
        "DistillNet, table 3: firmware on VU13P, 240 MHz",
        [
            Column("Acc."),
            Column("Latency [ns]", _source(found, [row], "latency_ns")),
            Column("II [cycles]", _source(found, [row], "ii_cycles")),
            *(Column(name.upper(), _source(found, [row], name)) for name in names),
            Column("behind the network"),
        ],
        [
            Row(
                row.model,
                [
                    Cell("untrained", published.DISTILLNET_ACCURACY),
                    Cell(_value(ours, "latency_ns"), f"{row.latency_ns:g}"),
                    Cell(_value(ours, "ii_cycles"), f"{row.ii:g}"),
                    *(
                        Cell(
                            _with_share(_value(ours, name), _value(ours, f"{name}_percent")),
                            _with_share(f"{row.counts[name]:,}", f"{row.percent[name]:g}"),
                        )
                        for name in names
                    ),
                    Cell("hard sigmoid" if ours.run else NOT_RUN, row.behind),
                ],
            )
        ],
        [*_missing([row], found), published.UNTRAINED],
    )


def _absolute(found: Mapping[str, Ours]) -> Table:
    names = {
        "lut": "LUT",
        "lut_estimate_alkaid": "LUT",
        "ff": "FF",
        "dsp": "DSP",
        "bram": "BRAM_18K",
        "latency_cycles": "latency [cycles]",
        "ii_cycles": "II [cycles]",
        SLACK: "slack [ns]",
        "mismatches": "events that differ",
        "verified_events": "of",
    }
    columns = [Column(text, _source(found, ROWS, name)) for name, text in names.items()]
    columns.insert(2, Column("LUT", "estimate, l1distill's cost model"))
    rows = []
    for row in ROWS:
        cells = [Cell(_value(found[row.key], name)) for name in names]
        cells.insert(2, Cell(_cost(found[row.key])))
        rows.append(Row(row.key, cells))
    slow = [
        row.key for row in ROWS if (slack := _figure(found[row.key], SLACK)) and slack.value < 0
    ]
    notes = [f"{TOO_SLOW}: {'; '.join(slow)}."] if slow else []
    return Table("Firmware of ours in absolute numbers", columns, rows, notes)


def _figure(ours: Ours, name: str) -> ReportEntry | None:
    if ours.figures is None or not any(f.name == f"firmware/{name}" for f in ours.figures.entries):
        return None
    return ours.figures[f"firmware/{name}"]


def _value(ours: Ours, name: str, scale: float = 1.0) -> str:
    figure = _figure(ours, name)
    if figure is None:
        return FAILED if ours.run else NOT_RUN
    return number(figure.value * scale)


def number(value: float) -> str:
    """Returns a figure in words: whole numbers whole, others with about two digits."""
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def _cost(ours: Ours) -> str:
    value = ours.run.metrics.get("cost/lut_estimate") if ours.run else None
    return NOT_RUN if value is None else number(round(value))


def _with_share(count: str, percent: str) -> str:
    return count if count in (NOT_RUN, FAILED) else f"{count} ({percent}%)"


def _period(ours: Ours) -> float:
    """Of the clock [ns]."""
    return ours.figures.device.clock_period_ns if ours.figures else 0.0


def _behind(ours: Ours) -> str:
    if ours.run is None:
        return NOT_RUN
    return SCORES.get(ours.run.parameters.get("score.kind", ""), "nothing")


def _source(found: Mapping[str, Ours], rows: Sequence[Published], name: str) -> str:
    """Says whether a figure was measured or estimated, and by which tool."""
    figures = [figure for row in rows if (figure := _figure(found[row.key], name))]
    words = {f"{figure.kind}, {figure.tool} {figure.version}" for figure in figures}
    return " or ".join(sorted(words))


def _missing(rows: Sequence[Published], found: Mapping[str, Ours]) -> list[str]:
    return [f"{row.model}: {found[row.key].missing}" for row in rows if found[row.key].missing]
