"""The pages of the study, from runs that are made up: also of signals that no paper published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from l1distill.artifacts.runs import LoggedRun
from l1distill.core.errors import DataError
from l1distill.data.card import Ablation, Card, FileCard
from l1distill.data.dataset import Dataset
from l1distill.evaluation.curves import Curve, write_curve
from l1distill.tasks.anomaly.dataset import read_items
from l1distill.tasks.anomaly.study_pages import AutoencoderStudy

SIGNALS = ("a_4l", "zprime")
"""One of the paper, and one of the user's own."""
EXPERIMENTS = {"teachers": "of teachers", "scan": "of bits", "firmware": "of rows"}


@dataclass
class Runs:
    """Runs by stage, with the files that they logged below a folder of their name."""

    folder: Path
    by_stage: Mapping[str, Sequence[LoggedRun]]
    asked: list[tuple[str, str, str | None, str]] = field(default_factory=list)

    def find(
        self, stage: str, experiment: str, dataset_md5: str | None, status: str = "FINISHED"
    ) -> Sequence[LoggedRun]:
        self.asked.append((stage, experiment, dataset_md5, status))
        return self.by_stage.get(stage, ())

    def download(self, run_id: str, path: str, folder: Path) -> Path:
        if not (self.folder / run_id / path).exists():
            raise FileNotFoundError(path)
        return self.folder / run_id / path


def _teacher(folder: Path, architecture: str, sparsity: float, auc: float) -> LoggedRun:
    run_id = f"{architecture} {sparsity}"
    metrics = {}
    for number, signal in enumerate(SIGNALS):
        for prefix in ("", "mse/"):
            metrics[f"{prefix}auc/{signal}"] = auc + 0.1 * number
            metrics[f"{prefix}auc_error/{signal}"] = 0.01
        x = np.linspace(0.01, 1.0, 5)
        curve = Curve(x=x, y=np.sqrt(x), x_name="fpr", y_name="tpr")
        write_curve(curve, folder / run_id / f"roc/mse/{signal}.csv")
    parameters = {"teacher.architecture": architecture, "compression.sparsity": str(sparsity)}
    tags = {"output_sha256": run_id}
    return LoggedRun(run_id=run_id, parameters=parameters, metrics=metrics, tags=tags)


def _fixed(teacher: LoggedRun, method: str, bits: int, auc: float) -> LoggedRun:
    metrics = {f"auc/{signal}": auc + 0.1 * n for n, signal in enumerate(SIGNALS)}
    metrics |= {f"auc_error/{signal}": 0.02 for signal in SIGNALS}
    parameters = {
        **teacher.parameters,
        "quantization.method": method,
        "quantization.bits": str(bits),
    }
    tags = {"teacher_run": teacher.run_id, "output_sha256": f"{method} {bits}"}
    run_id = f"{teacher.run_id} {method} {bits}"
    return LoggedRun(run_id=run_id, parameters=parameters, metrics=metrics, tags=tags)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Two teachers of one architecture, and the pruned one in fixed point."""
    folder = tmp_path / "store"
    plain, pruned = (_teacher(folder, "cnn_ae", sparsity, 0.8) for sparsity in (0.0, 0.5))
    fixed = [_fixed(pruned, "qat", bits, 0.7) for bits in (4, 8)]
    return Runs(folder, {"teacher": [plain, pruned], "quantize": fixed})


def _dataset(folder: Path, *signals: str, ablations: Sequence[Ablation] = ()) -> Dataset:
    file = FileCard(train=50, test=40, validation=10, sha256="")
    files = dict.fromkeys(("background", *signals), file)
    card = Card(
        dataset="mine",
        settings={},
        versions={},
        files=files,
        checks={},
        missing=[],
        ablations=list(ablations),
    )
    return Dataset(
        folder=folder, card=card, md5="5d" * 16, training_sample="background", read=read_items
    )


def test_a_signal_of_the_users_own_stands_in_every_table(runs: Runs, tmp_path: Path) -> None:
    folder = tmp_path / "paper"
    folder.mkdir()
    metrics = AutoencoderStudy().write(runs, _dataset(tmp_path, *SIGNALS), EXPERIMENTS, folder)
    assert metrics == {
        "float_models": 1.0,
        "pruned_models": 1.0,
        "quantized_models": 2.0,
        "published_firmware": 0.0,
    }
    report = (folder / "report.md").read_text()
    heading = (
        "| model | score | TPR [%] A → 4ℓ | TPR [%] zprime | AUC [%] A → 4ℓ | AUC [%] zprime |"
    )
    assert report.count(heading) == 2
    (one,) = [line for line in report.splitlines() if line.startswith("| CNN AE | IO |")]
    assert one.endswith("| too few events | too few events | 80.0 ± 1.0 | 90.0 ± 1.0 |")
    (two,) = [line for line in report.splitlines() if line.startswith("| CNN AE QAT 4 bits | IO")]
    assert two.endswith("| 70.0 ± 2.0 / 96 | 80.0 ± 2.0 |"), "published beside ours, where it is"
    assert "too few events / 5.96 | too few events |" in two
    page = (folder / "index.html").read_text()
    assert page.count('<th class="n">AUC [%] zprime</th>') == 2
    assert page.count("data:image/png;base64,") == 2
    assert {path.name for path in (folder / "plots").iterdir()} == {
        "roc_cnn.png",
        "ratio_cnn_ae.png",
    }


def test_runs_are_looked_for_on_the_data_set_and_firmware_by_its_content(
    runs: Runs, tmp_path: Path
) -> None:
    (tmp_path / "paper").mkdir()
    AutoencoderStudy().write(runs, _dataset(tmp_path, *SIGNALS), EXPERIMENTS, tmp_path / "paper")
    assert sorted(runs.asked, key=str) == [
        ("quantize", "of bits", "5d" * 16, "FINISHED"),
        ("synthesize", "of rows", None, "FAILED"),
        ("synthesize", "of rows", None, "FINISHED"),
        ("teacher", "of teachers", "5d" * 16, "FINISHED"),
    ]


def test_ablations_of_other_signals_leave_a_gap(runs: Runs, tmp_path: Path) -> None:
    ablation = Ablation(
        change="no pileup",
        train=50,
        auc={"a_4l": 0.8765},
        auc_error={"a_4l": 0.0123},
        jets_per_event=0.66,
        met_mean_gev=33.3,
    )
    (tmp_path / "paper").mkdir()
    dataset = _dataset(tmp_path, *SIGNALS, ablations=[ablation])
    AutoencoderStudy().write(runs, dataset, EXPERIMENTS, tmp_path / "paper")
    page = (tmp_path / "paper/index.html").read_text()
    row = '<tr><td>no pileup</td><td class="n">0.876 ± 0.012</td><td class="n"></td></tr>'
    assert row in page


def test_without_teachers_it_says_what_to_begin_with(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path, *SIGNALS)
    with pytest.raises(DataError, match="l1distill teacher experiment=of teachers"):
        AutoencoderStudy().check(Runs(tmp_path, {}), dataset, EXPERIMENTS)


def test_a_run_without_its_curves_is_named(runs: Runs, tmp_path: Path) -> None:
    (runs.folder / "cnn_ae 0.0").rename(tmp_path / "gone")
    with pytest.raises(DataError, match=r"run cnn_ae 0\.0: its ROC curves .* train cnn_ae again"):
        AutoencoderStudy().write(runs, _dataset(tmp_path, *SIGNALS), EXPERIMENTS, tmp_path)


def test_a_data_set_without_signals_has_no_study(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no signals"):
        AutoencoderStudy().check(runs, _dataset(tmp_path), EXPERIMENTS)
