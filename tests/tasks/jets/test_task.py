"""Jets: chosen inputs, rejections with intervals, scores by class."""

import numpy as np
import pytest

from l1distill.core.errors import ConfigError
from l1distill.evaluation.context import ScoreContext
from l1distill.evaluation.trigger_study import study_scores
from l1distill.models.mlp import StudentSettings
from l1distill.models.students import input_limits
from l1distill.tasks.jets.encoding import fit_encoding
from l1distill.tasks.jets.evaluation import rejection
from l1distill.tasks.jets.features import GENERATED, NAMES
from l1distill.tasks.jets.settings import JetsInputSettings
from l1distill.tasks.jets.statistics import Statistics


@pytest.fixture(scope="module")
def jets() -> np.ndarray:
    return np.random.default_rng(0).normal(3.0, 5.0, (4000, len(NAMES))).astype(np.float32)


def test_chosen_inputs_are_the_numbers_of_their_names(jets: np.ndarray, tmp_path: object) -> None:
    statistics = Statistics.fit(jets, GENERATED)
    encoding = fit_encoding(statistics, JetsInputSettings(names=("d2", "pt")))
    assert [feature.name for feature in encoding.features] == ["energy correlation D_2", "pT"]
    # the deviation is 5, of which 4 is the nearest power of two; 18.5 fits into 32
    assert [(one.scale, one.range) for one in encoding.features] == [(4.0, 32.0)] * 2
    chosen = jets[:, [NAMES.index("d2"), NAMES.index("pt")]]
    np.testing.assert_array_equal(encoding.apply(jets), chosen / 4)
    assert encoding.feature_shape == [2]


def test_a_share_that_piles_up_at_its_largest_value_is_not_cut() -> None:
    jets = np.ones((1000, len(NAMES)), np.float32)
    jets[:600] = np.random.default_rng(0).uniform(0.6, 1, (600, 1))
    encoding = fit_encoding(Statistics.fit(jets, GENERATED), JetsInputSettings(names=("tau21",)))
    student = StudentSettings(input_bits=8)
    _, (high,) = input_limits(student, 1, encoding.exponents(student.input_integer))
    assert encoding.apply(jets).max() <= high
    assert encoding.features[0].range == 2.0


def test_all_constituents_are_inputs_by_default_of_their_kind(jets: np.ndarray) -> None:
    statistics = Statistics.fit(jets, GENERATED)
    encoding = fit_encoding(statistics, JetsInputSettings(inputs="constituents"))
    np.testing.assert_array_equal(encoding.apply(jets), jets[:, 38:] / 4)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("softdropmass",), "did you mean softdrop_mass"),
        (("z_1",), "no features of the name 'z_1'"),
        (("pt", "pt"), "pt is given twice"),
    ],
)
def test_unknown_inputs_are_refused(jets: np.ndarray, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        fit_encoding(Statistics.fit(jets[:10], GENERATED), JetsInputSettings(names=names))


def test_rejection_is_one_over_the_share_that_passes() -> None:
    background, signal = np.arange(1000.0), np.arange(900.0, 1000.0)
    value, low, high = rejection(background, signal, 0.5)  # 950 and above
    assert value == 20.0
    # half a standard error of a share of 0.05 of 1000 is 0.0069
    assert (low, high) == (pytest.approx(1 / 0.0574, rel=0.01), pytest.approx(1 / 0.0435, rel=0.01))
    none_passes = rejection(background, signal + 1000, 0.5)
    assert none_passes[0] == 2000.0
    assert none_passes[1] < none_passes[0] <= none_passes[2]


def test_scores_of_one_sample_are_judged_by_class() -> None:
    rng = np.random.default_rng(1)
    label = rng.random(4000) < 0.5
    scores = rng.normal(size=4000) + 2 * label
    groups = {"qcd": ("jets", ~label), "h_bb": ("jets", label)}
    context = ScoreContext(background="qcd", input_rate_khz=1.0, groups=groups)
    study = study_scores({"jets": scores[:, None]}, context)
    assert set(study.scores) == {"qcd", "h_bb"}
    threshold = study.metrics["threshold_fpr1e-2"]
    assert study.metrics["rate_khz_fpr1e-2"] == (scores[~label] >= threshold).mean()
