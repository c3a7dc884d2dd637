"""Teacher and student of particles as commands, on made-up events."""

import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pytest

from docs.generate.metrics import patterns_of
from l1distill.artifacts.record import Record
from l1distill.core.progress import progress
from l1distill.core.workspace import file_sha256
from l1distill.stages import event_answers
from l1distill.stages.comparison import comparison_tables
from l1distill.stages.event_answers import Asked, answers_of_events
from l1distill.tasks.pileup import response_blocks
from l1distill.tasks.pileup.dataset import TEST, TRAINING, open_dataset
from l1distill.tasks.pileup.event_files import stream_events
from l1distill.tasks.pileup.response_blocks import responses_to_weights
from l1distill.tasks.pileup.responses import ResponseSettings, measure_responses, summarize
from l1distill.tasks.pileup.settings import PileupTeacherSettings
from l1distill.tasks.pileup.task import TASK, PileupTask
from l1distill.tasks.records import Services
from l1distill.tasks.settings import TaskSettings
from tests.in_process import run_in_process
from tests.tasks.inline import Inline
from tests.tasks.pileup.made_up import HARD, PILEUP, make_data_set

TASK_ = ("task=pileup", "data.generator.pool=1000")
TEACHER = ("teacher.training.epochs=2", "teacher.width=8", "teacher.edge=4", "teacher.neighbors=4")
STUDENT = (
    *(
        "student.layers=[16]",
        "student.weight_bits=3",
        "student.training.epochs=30",
        "student.training.batch_size=32",
    ),
    *("student.training.learning_rate=0.02", "distillation.beta=0.1"),
)

FOLDERS = ("teacher_folder=models/teacher", "output=models/student", "distillation.items=600")
ELSEWHERE = ("executor=processes", "executor.workers=1")


def _of(experiment: str) -> tuple[str, ...]:
    """Return how one job of an experiment is run by itself."""
    return f"experiment={experiment}", "hydra.mode=RUN"


def _generate(_: PileupTask, settings: object, folder: Path, services: object) -> list[object]:
    make_data_set(folder)
    return []


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which data, teacher and student were made; the student is judged elsewhere."""
    folder = tmp_path_factory.mktemp("line")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PileupTask, "generate", _generate)
        patch.setattr(response_blocks, "EVENTS_OF_A_BLOCK", 5)
        for stage, *words in (
            ("generate",),
            ("teacher", *TEACHER, *_of("pileup_teachers"), "output=models/teacher"),
            ("student", *STUDENT, *_of("pileup_8bit"), *FOLDERS, *ELSEWHERE),
        ):
            run = _run(folder, stage, *words)
            assert run[0] == 0, run[1]
        yield folder


def _run(folder: Path, stage: str, *words: str) -> tuple[int, str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")},
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }
    done = run_in_process(stage, *TASK_, *words, folder=folder, environment=environment)
    return done.returncode, done.stderr


def _services(executor: Inline, work: Path) -> Services:
    return Services(executor=lambda: nullcontext(executor), progress=progress, work=work)


def _metrics(folder: Path, model: str) -> dict[str, float]:
    metrics: dict[str, float] = json.loads((folder / "models" / model / "metrics.json").read_text())
    return metrics


def test_items_are_particles_and_their_splits_are_those_of_events(line: Path) -> None:
    dataset = open_dataset(line / "data/pileup")
    sample, each = dataset.training, HARD + PILEUP
    assert sample.items.values.shape == (30 * each, 16)
    assert [sample.rows(split) for split in (0, 1, 2)] == [  # type: ignore[arg-type]
        slice(0, 20 * each),
        slice(20 * each, 24 * each),
        slice(24 * each, 30 * each),
    ]
    assert dataset.evaluation_rows(TRAINING) == slice(20 * each, 24 * each)
    assert dataset.evaluation_rows(TEST) == slice(0, 12 * each)
    # the rows of a batch from the middle of the file are those of its particles
    (batch,) = stream_events(dataset.path(TRAINING), 5, 7)
    rows = sample.items.values[batch.rows]
    np.testing.assert_allclose(rows[:, 0], batch.particles.eta, rtol=1e-3)
    np.testing.assert_allclose(np.exp(rows[:, 2]), batch.particles.pt, rtol=2e-3)
    np.testing.assert_allclose(TASK.item_pt(rows), batch.particles.pt, rtol=2e-3)
    assert (np.argmax(rows[:, 8:], axis=1) == batch.particles.id).all()
    assert (rows[:, 8:].sum(axis=1) == 1).all()


def test_metrics_are_those_of_the_models_answers(line: Path) -> None:
    dataset, teacher, student = (
        open_dataset(line / "data/pileup"),
        _metrics(line, "teacher"),
        _metrics(line, "student"),
    )
    weights = np.load(line / "models/teacher/scores" / f"{TEST}.npy")
    assert len(weights) == dataset.number_of_items(TEST)
    # one event at a time, counted by hand
    each = HARD + PILEUP
    (events,) = stream_events(dataset.path(TEST))

    def own(_: object) -> np.ndarray:
        return weights.astype(float)

    found = measure_responses([events], {"teacher": own}, ResponseSettings())
    assert len(weights) == 12 * each
    for quantity in ("ptmiss", "jet_pt"):
        expected = summarize(found[quantity]["teacher"])
        name = f"{quantity}/teacher"
        for metrics in (teacher, student):
            assert metrics[f"resolution/{name}"] == pytest.approx(expected.resolution)
            assert metrics[f"bias/{name}"] == pytest.approx(expected.bias)
            assert metrics[f"resolution_error/{name}"] == pytest.approx(expected.error)
        to_puppi = (
            student[f"resolution/{quantity}/student"] / student[f"resolution/{quantity}/puppi"]
        )
        assert student[f"ratio_to_puppi/{quantity}/student"] == pytest.approx(to_puppi)
        assert student[f"improvement/{quantity}"] == pytest.approx(1 - to_puppi)
        assert {f"resolution/{quantity}/{name}" for name in ("none", "chs", "truth")} <= set(
            teacher
        )
    assert student["sparsity"] == pytest.approx(0.75, abs=0.02)  # of experiment=pileup_8bit
    # it has learned most of what tells the teacher's weights from their mean
    assert student[f"mse_to_teacher/{TEST}"] < 0.3 * weights.var()
    assert {name for name in {**teacher, **student} if len(patterns_of(name)) != 1} == set()


def test_tables_show_methods_and_models(line: Path) -> None:
    tables = comparison_tables(TASK, _metrics(line, "teacher"), _metrics(line, "student"))
    assert [table.title for table in tables] == [
        "Missing pT: teacher against student",
        "Jet pT: teacher against student",
    ]
    assert [row[0] for row in tables[0].rows][-2:] == ["teacher", "student"]
    assert all("±" in cell for table in tables for cell in table.rows[-1][1:])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("teacher_folder=nowhere",), "teacher_folder=nowhere: no such folder"),
        (("teacher_folder=data/pileup",), "written by the stage generate, needed from teacher"),
        (("student.inputs.names=[etaa]",), "no number of the name 'etaa'; did you mean eta?"),
        (("student.output_integer=2",), "with student.output_range=unit outputs end at 1"),
        (("distillation.scheme=co_training",), "hand over their answers alone"),
        (("distillation.scheme=self",), "hand over their answers alone"),
        (("distillation=feature",), "hand over their answers alone"),
        (
            ("distillation.pt_cap_gev=0",),
            "distillation.pt_cap_gev=0: input should be greater than 0",
        ),
        (("distillation.augmentation=2",), "task=pileup makes no pseudo-items"),
        (("distillation.item=5",), "did you mean distillation.items?"),
        (("student=cnn",), "the features of an item have the shape [16], without rows"),
    ],
)
def test_what_makes_no_sense_for_particles_is_refused(
    line: Path, words: tuple[str, ...], says: str
) -> None:
    status, printed = _run(line, "student", *STUDENT[:2], *words, "output=refused")
    assert status == 2
    assert says in printed
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) == 1
    assert not (line / "refused").exists()


@pytest.mark.parametrize("stage", ["teacher", "quantize"])
def test_a_graph_teacher_is_neither_pruned_nor_quantized(line: Path, stage: str) -> None:
    words = ("compression=pruning", "compression.end_epoch=8") if stage == "teacher" else ()
    status, printed = _run(line, stage, *words, "output=refused")
    assert status == 2, printed
    assert len(printed.strip().splitlines()) == 1
    says = {"teacher": "has no layers that can be pruned", "quantize": "cannot be brought to fixed"}
    assert says[stage] in printed


def test_particles_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    folder = make_data_set(tmp_path)
    with h5py.File(folder / f"{TRAINING}.h5", "r+") as file:
        file["particles/pt"][7] = np.nan
    from l1distill.core.errors import DataError

    with pytest.raises(DataError, match=r"wjets.h5: particle 7: log_pt is nan"):
        open_dataset(folder).sample(TRAINING)


def test_a_killed_teacher_goes_on_elsewhere_to_the_same_bytes(
    line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers and metrics of a run that goes on with blocks in another process are the same."""
    from l1distill.training.checkpoint import Checkpoint

    add = Checkpoint.add

    def stop(self: Checkpoint, *arguments: object) -> None:
        add(self, *arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    words = (*TEACHER, "output=again")
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "add", stop)
        assert _run(line, "teacher", *words)[0] == 130
    monkeypatch.setattr(event_answers, "EVENTS_OF_A_BLOCK", 8)
    monkeypatch.setattr(response_blocks, "EVENTS_OF_A_BLOCK", 5)
    assert _run(line, "teacher", *words, *ELSEWHERE)[0] == 0
    for name in ("teacher.h5", "metrics.json", f"scores/{TEST}.npy"):
        assert file_sha256(line / "again" / name) == file_sha256(line / "models/teacher" / name)


def test_answers_do_not_depend_on_where_they_are_given(line: Path, tmp_path: Path) -> None:
    """In blocks of eight events those of a pass over all; a second run finds the blocks."""
    record = Record.read(line / "models/teacher")
    data = line / "data/pileup"
    asked = Asked(
        task=TaskSettings(name="pileup", module="l1distill.tasks.pileup.task"),
        teacher=PileupTeacherSettings.model_validate(record.nested("teacher")),
        data=data,
        model=line / "models/teacher/teacher.h5",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_answers, "EVENTS_OF_A_BLOCK", 8)
        for jobs in (4 + 2, 0):
            executor = Inline()
            said = answers_of_events(asked, open_dataset(data), _services(executor, tmp_path))
            assert executor.done == jobs
    for sample in (TRAINING, TEST):
        alone = np.load(line / f"models/teacher/scores/{sample}.npy")
        assert said[sample]["weight"].dtype == alone.dtype
        assert said[sample]["weight"].tobytes() == alone.tobytes()


def test_responses_of_blocks_are_measured_once_and_anew_for_other_weights(
    line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(line / "data/pileup")
    weights = np.load(line / f"models/teacher/scores/{TEST}.npy")
    monkeypatch.setattr(response_blocks, "EVENTS_OF_A_BLOCK", 5)
    for given, stop, jobs in ((weights, 1, 1), (weights, None, 2), (1 - weights, None, 3)):
        executor = Inline(stop)
        arguments = ({"teacher": given}, dataset, ResponseSettings())
        if stop is not None:
            with pytest.raises(KeyboardInterrupt):
                responses_to_weights(*arguments, _services(executor, tmp_path))
        else:
            found = responses_to_weights(*arguments, _services(executor, tmp_path))
            expected = responses_to_weights(*arguments)
            for quantity, name in product(("ptmiss", "jet_pt"), ("puppi", "teacher", "chs")):
                ours, theirs = found[quantity][name], expected[quantity][name]
                assert ours.values.tobytes() == theirs.values.tobytes()
                assert ours.event.tolist() == theirs.event.tolist()
                assert ours.n_events == theirs.n_events == 12
        assert executor.done == jobs


def test_paper_gathers_what_was_logged(line: Path, tmp_path: Path) -> None:
    code, said = _run(line, "paper", f"output={tmp_path}/paper")
    assert code == 0, said
    folder = tmp_path / "paper"
    text, student, teacher = (
        (folder / "report.md").read_text(),
        _metrics(line, "student"),
        _metrics(line, "teacher"),
    )
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["graph_teachers"], metrics["particle_students"]) == (1.0, 1.0)
    assert {name for name in metrics if len(patterns_of(name)) != 1} == set()
    for quantity in ("ptmiss", "jet_pt"):
        for name, found in (("puppi", teacher), ("teacher", teacher), ("student", student)):
            assert f"{found[f'resolution/{quantity}/{name}']:.4f} ± " in text
            assert f"{found[f'bias/{quantity}/{name}']:+.4f} ± " in text
    ratio = teacher["ratio_to_puppi/ptmiss/teacher"]
    reached = "reached" if ratio <= 0.9 else "NOT reached"
    assert f"teacher over PUPPI: {ratio:.3f}, to be at most 0.90: {reached}." in text
    # table 2: the published network, and a student of 16-16-1 for 9,000 particles
    assert "| published teacher | 110,789 | 270k | 5," in text
    products = 2 * (16 * 16 + 16) + 2 * (16 + 1)
    assert f"| {9000 * products / 1e6:,.0f} |" in text
    assert {path.name for path in (folder / "plots").iterdir()} == {
        *(f"pileup_{name}.png" for name in ("responses", "weights", "maps", "times"))
    }  # fmt: skip


def test_paper_without_a_teacher_says_how_to_begin(line: Path, tmp_path: Path) -> None:
    code, said = _run(line, "paper", "graphs=of_nobody", f"output={tmp_path}/paper")
    assert code == 2
    assert "begin with l1distill teacher task=pileup experiment=of_nobody" in said
    assert not (tmp_path / "paper").exists()
