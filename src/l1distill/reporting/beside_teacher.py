"""The table of a sweep that says how far its students are below their teacher, at what cost."""

from collections.abc import Mapping, Sequence

from l1distill.reporting.tables import Column, Table

AUC, TPR = "auc_difference/", "tpr_ratio_fpr1e-2/"
CLOSE = 0.01
"""A student is close to its teacher if no AUC is lower than that by more."""
COSTS = (
    ("LUT (yosys), most", "firmware/lut", ".0f"),
    ("cycles, most", "firmware/latency_cycles", ".0f"),
    ("latency, most [ns]", "firmware/latency_ns", ".1f"),
)
"""Heading, metric and format of what firmware costs; the largest of the seeds is shown."""
TOPOLOGIES = "topology_auc_difference_min"


def beside_teacher(
    combinations: Mapping[str, Sequence[tuple[Mapping[str, float], str]]],
) -> Table | None:
    """Return the table, the smallest firmware first; None without figures.

    Args:
        combinations: of each the metrics and the verdict of the gates of its jobs, a seed each.
    """
    several = {
        name: [job for job in jobs if _of(job[0], AUC) and COSTS[0][1] in job[0]]
        for name, jobs in combinations.items()
    }
    several = {name: jobs for name, jobs in several.items() if jobs}
    if not several:
        return None
    first = next(iter(several.values()))[0][0]
    signals = list(_of(first, AUC))
    order = sorted(several, key=lambda name: max(m[COSTS[0][1]] for m, _ in several[name]))
    return Table(
        title="Beside the teacher",
        lead="Of each figure the worst of the seeds; the smallest firmware first. AUC: that of "
        "the student less that of its teacher on the same events. TPR: that of the student over "
        "that of its teacher, at FPR 1e-2 of each. Close: no AUC is lower by more than "
        f"{CLOSE:g}. Topologies: AUC of pseudo-events with many leptons or jets against the "
        "validation background, less the teacher's; no signal takes part.",
        columns=[
            Column(name="combination"),
            *(Column(name=heading, numeric=True) for heading, _, _ in COSTS),
            *(Column(name=f"AUC, {signal}", numeric=True) for signal in signals),
            *(Column(name=f"TPR, {signal}", numeric=True) for signal in signals),
            *(Column(name=name, numeric=True) for name in ("topologies", "close", "gates")),
        ],
        rows=[[name, *_row(several[name], signals)] for name in order],
    )


def _of(metrics: Mapping[str, float], prefix: str) -> dict[str, float]:
    found = {name.removeprefix(prefix): v for name, v in metrics.items() if name.startswith(prefix)}
    return {name: value for name, value in found.items() if "/" not in name}


def _row(jobs: Sequence[tuple[Mapping[str, float], str]], signals: Sequence[str]) -> list[str]:
    def worst(metric: str, spec: str) -> str:
        values = [metrics[metric] for metrics, _ in jobs if metric in metrics]
        return f"{min(values):{spec}}" if values else "–"

    costs = [
        f"{max(metrics[metric] for metrics, _ in jobs if metric in metrics):{spec}}"
        for _, metric, spec in COSTS
    ]
    close = sum(min(_of(metrics, AUC).values()) >= -CLOSE for metrics, _ in jobs)
    passed = sum(verdict == "passed" for _, verdict in jobs)
    return [
        *costs,
        *(worst(f"{AUC}{signal}", "+.4f") for signal in signals),
        *(worst(f"{TPR}{signal}", ".2f") for signal in signals),
        worst(TOPOLOGIES, "+.4f"),
        f"{close} of {len(jobs)}",
        f"{passed} of {len(jobs)}",
    ]
