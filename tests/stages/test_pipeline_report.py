"""The page of a sweep, with what earlier sweeps into the same folder left."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import MagicMock

from l1distill.artifacts.record import Record
from l1distill.core.workspace import write_json
from l1distill.evaluation.ranking import Ranked, Ranking
from l1distill.reporting.sweep_page import Row, sweep_tables
from l1distill.stages.job_names import group_of
from l1distill.stages.pipeline_job import RESULT, JobResult
from l1distill.stages.pipeline_report import write_report


def _done(folder: Path, bits: int, data: str = "a") -> JobResult:
    name = f"student.weight_bits={bits}"
    job = JobResult(
        name=name,
        folder=str(folder / name),
        varied={"student.weight_bits": str(bits)},
        metrics={"firmware/lut": 100.0 * bits, "firmware/latency_ns": 25.0},
    )
    (folder / name / "student").mkdir(parents=True)
    Record(
        stage="student",
        parameters={},
        inputs={},
        dataset="anomaly",
        dataset_md5=data * 32,
        files={},
        artifacts=[],
    ).write(folder / name / "student")
    write_json(folder / name / RESULT, {**asdict(job), "promotion": ""})
    return job


def _write(folder: Path, *jobs: JobResult) -> dict[str, float]:
    run = MagicMock()
    write_report(jobs, folder, "words", run, group_of)
    return {k: v for call in run.log_metrics.call_args_list for k, v in call.args[0].items()}


def _jobs(folder: Path) -> list[str]:
    return [job["job"] for job in json.loads((folder / "comparison.json").read_text())["jobs"]]


def _pages(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("index.html", "comparison.md")]


def test_a_later_sweep_keeps_the_jobs_of_earlier_ones(tmp_path: Path) -> None:
    _write(tmp_path, _done(tmp_path, 4), _done(tmp_path, 6))
    counted = _write(tmp_path, _done(tmp_path, 8))
    assert counted["jobs"] == 1
    assert _jobs(tmp_path) == [f"student.weight_bits={bits}" for bits in (4, 6, 8)]
    text = (tmp_path / "comparison.md").read_text()
    assert "1 jobs of l1distill pipeline words, 1 of them whole. 2 more are of earlier" in text
    for row in ("| student.weight_bits=4 | 400 |", "| student.weight_bits=8 | 800 |"):
        assert row in text


def test_a_sweep_whose_jobs_all_failed_leaves_earlier_pages(tmp_path: Path) -> None:
    failed = JobResult(name="seed=9", folder=str(tmp_path / "seed=9"), error="yosys: no", status=1)
    assert _write(tmp_path, failed)["jobs_failed"] == 1
    assert _jobs(tmp_path) == ["seed=9"], "there was no page before"
    _write(tmp_path, _done(tmp_path, 4), failed)
    before = _pages(tmp_path)
    assert _write(tmp_path, failed) == {"jobs": 1, "jobs_failed": 1, "jobs_refused_by_gates": 0}
    assert _pages(tmp_path) == before


def test_jobs_of_other_data_are_left_out_and_counted(tmp_path: Path) -> None:
    _write(tmp_path, _done(tmp_path, 4, data="b"))
    _write(tmp_path, _done(tmp_path, 6))
    assert _jobs(tmp_path) == ["student.weight_bits=6"]
    assert "1 of earlier sweeps are left out" in (tmp_path / "comparison.md").read_text()


def test_a_seed_that_failed_is_counted_and_left_out_of_the_means() -> None:
    more = {"event_error": 0.001, "seed_spread": 0.002, "behind": 0.0, "behind_error": 0.0}
    figures = {**more, "lut": 100.0, "blind": 0.9, "blind_spread": 0.01}
    ranked = [
        Ranked(combination="a", seeds=("0", "1", "2"), auc=0.9, is_best=True, **figures),
        Ranked(combination="b", seeds=("0", "2"), failed=("1",), auc=0.8, is_best=False, **figures),
    ]
    rows = [
        Row(
            job=f"{name},seed={seed}",
            combination=name,
            metrics={"auc/x": 0.5 if name == "b" and seed == 1 else 0.8 + 0.1 * seed / 2},
            gates="passed",
            seed=str(seed),
        )
        for name in "ab"
        for seed in range(3)
    ]
    ranking, paired, means, jobs = sweep_tables(rows, Ranking(rows=ranked, use="a", blind="a"))
    assert [row[-1] for row in ranking.rows] == [
        "use this one",
        "1 of 3 seeds no better than chance",
    ]
    assert paired.rows == [["b", "2", "+0.0000 ± 0.0000"]]
    assert [row[1] for row in means.rows] == ["3", "2 of 3"]
    assert means.rows[1][2] == "0.8500 ± 0.0707"
    assert [row[-1] for row in jobs.rows][3:] == [
        "passed",
        "no better than chance; passed",
        "passed",
    ]


def test_jobs_of_one_seed_are_compared_with_one_another() -> None:
    """Also of a task without scores, as jets: there is no ranking and no event to pair."""
    figures = {
        "wide": {"0": (100.0, 0.900), "1": (110.0, 0.920), "2": (130.0, None)},
        "small": {"0": (60.0, 0.901), "1": (50.0, 0.923), "2": (80.0, 0.930)},
        "other": {"7": (10.0, 0.5)},
        "once": {"2": (30.0, 0.5)},
    }
    rows = [
        Row(
            job=f"{name},seed={seed}",
            combination=name,
            metrics={"firmware/lut": lut, **({} if auc is None else {"auc": auc})},
            gates="passed",
            seed=seed,
        )
        for name, seeds in figures.items()
        for seed, (lut, auc) in seeds.items()
    ]
    table, *_ = sweep_tables(rows, None)
    assert table.title == "Less wide, seed by seed"
    assert [column.name for column in table.columns] == [
        "combination", "seeds", "AUC", "LUT (yosys)",
    ]  # fmt: skip
    assert table.rows == [
        # -40, -60 and -50, so 10 / sqrt(3); +0.001 and +0.003, so 0.0014 / sqrt(2)
        ["small", "3", "+0.0020 ± 0.0010", "-50 ± 6"],
        ["once", "1", "–", "-100 ± ?"],
    ]
    plain = [replace(row, seed="") for row in rows]
    assert not any(one.title == table.title for one in sweep_tables(plain, None))


def test_the_worst_of_the_seeds_stands_beside_the_teacher() -> None:
    """An output that saturates shows in the TPR, a bad seed in how many are close."""

    def row(name: str, seed: str, lut: float, auc: float, tpr: float, gates: str) -> Row:
        metrics = {
            "firmware/lut": lut,
            "firmware/latency_cycles": 4.0,
            "firmware/latency_ns": 20.0,
            "auc_difference/a": auc,
            "auc_difference/b": 0.001,
            "auc_difference_error/a": 0.1,
            "tpr_ratio_fpr1e-2/a": tpr,
            "tpr_ratio_fpr1e-2_low/a": 0.0,
            "tpr_ratio_fpr1e-2/b": 1.0,
            "topology_auc_difference_min": auc / 2,
        }
        return Row(job=f"{name},{seed}", combination=name, metrics=metrics, gates=gates, seed=seed)

    rows = [
        row("big", "0", 1700.0, -0.002, 1.1, "passed"),
        row("big", "1", 1800.0, -0.0101, 0.01, "refused by agreement"),
        row("small", "0", 500.0, -0.004, 0.9, "passed"),
        Row(job="failed", combination="big", metrics={}, gates="failed: no"),
        Row(job="brief", combination="brief", metrics={"firmware/lut": 1.0}, gates="passed"),
    ]
    table = next(one for one in sweep_tables(rows, None) if one.title == "Beside the teacher")
    names = [column.name for column in table.columns]
    assert names[4:8] == ["AUC, a", "AUC, b", "TPR, a", "TPR, b"]
    small, big = table.rows
    assert small[:2] == ["small", "500"]
    assert big[:2] == ["big", "1800"]
    assert big[4:] == ["-0.0101", "+0.0010", "0.01", "1.00", "-0.0050", "1 of 2", "1 of 2"]
    assert small[4:] == ["-0.0040", "+0.0010", "0.90", "1.00", "-0.0020", "1 of 1", "1 of 1"]
    assert not [one for one in sweep_tables(rows[3:], None) if one.title == table.title]
