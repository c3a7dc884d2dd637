"""Which runs make up the study."""

from collections.abc import Mapping

from l1distill.artifacts.runs import LoggedRun
from l1distill.tasks.anomaly.study import gather, ratios


def _teacher(run_id: str, sparsity: float, sha256: str = "") -> LoggedRun:
    parameters = {"teacher.architecture": "dnn_ae", "compression.sparsity": str(sparsity)}
    metrics = {"auc/a_4l": 0.8, "auc_error/a_4l": 0.01}
    tags = {"output_sha256": sha256 or run_id}
    return LoggedRun(run_id=run_id, parameters=parameters, metrics=metrics, tags=tags)


def _fixed(run_id: str, teacher: str, auc: float = 0.8, bits: int = 8) -> LoggedRun:
    parameters: Mapping[str, str] = {
        "teacher.architecture": "dnn_ae",
        "quantization.method": "ptq",
        "quantization.bits": str(bits),
    }
    metrics = {"auc/a_4l": auc, "auc_error/a_4l": 0.01}
    tags = {"teacher_run": teacher}
    return LoggedRun(run_id=run_id, parameters=parameters, metrics=metrics, tags=tags)


def test_the_newest_of_each_kind_counts() -> None:
    study = gather(
        [_teacher("new", 0.5), _teacher("plain", 0.0), _teacher("old", 0.5)],
        [_fixed("second", "new"), _fixed("first", "new"), _fixed("wide", "new", bits=16)],
    )
    assert (study.float_models["dnn_ae"].run_id, study.pruned["dnn_ae"].run_id) == ("plain", "new")
    assert {key: run.run_id for key, run in study.quantized.items()} == {
        ("dnn_ae", "ptq", 8): "second",
        ("dnn_ae", "ptq", 16): "wide",
    }


def test_versions_of_another_teacher_are_not_held_against_this_one() -> None:
    teachers = [_teacher("new", 0.5), _teacher("plain", 0.0), _teacher("old", 0.5)]
    others = [_fixed("a", "old"), _fixed("b", "plain"), _fixed("c", "from elsewhere")]
    study = gather(teachers, others)
    assert not study.quantized
    assert not ratios(study, "dnn_ae", "ptq", "a_4l", None)


def test_a_teacher_that_came_out_the_same_again_is_the_same_teacher() -> None:
    teachers = [_teacher("again", 0.5, "bytes"), _teacher("first", 0.5, "bytes")]
    study = gather(teachers, [_fixed("a", "first", auc=0.4)])
    (point,) = ratios(study, "dnn_ae", "ptq", "a_4l", None)
    assert (point.bits, point.value) == (8, 0.5)
