"""Who becomes champion: gates first, then the objective with its uncertainty."""

import pytest

from l1distill.registry.decision import Decision, Outcome, Rules, decide
from l1distill.registry.evidence import Evidence
from l1distill.registry.gates import Gate
from l1distill.registry.objective import Objective
from l1distill.registry.version_tags import verdict_tags

RULES = Rules(
    gates={"auc": Gate(metric="auc/a", min=0.7)},
    objective=Objective(metrics=["auc/a", "auc/b"]),
    profile="test",
)


def _student(
    content: str, a: float, b: float = 0.8, error: float = 0.01, data: str = "d" * 32
) -> Evidence:
    metrics = {"auc/a": a, "auc/b": b, "auc_error/a": error, "auc_error/b": error}
    return Evidence(content_sha256=content, dataset_md5=data, metrics=metrics)


def _against(candidate: Evidence, champion: Evidence | None, rules: Rules = RULES) -> Decision:
    return decide(rules, candidate, champion)


def test_the_first_champion_needs_no_baseline() -> None:
    decision = _against(_student("x", 0.8), None)
    assert decision.outcome is Outcome.CHAMPION
    assert decision.against_champion is None


@pytest.mark.parametrize(
    ("a", "outcome"),
    [
        # the mean of two AUCs gains half; its error is 0.01, that of the difference 0.01414
        (0.85, Outcome.CHAMPION),
        (0.829, Outcome.CHAMPION),
        (0.828, Outcome.CHALLENGER),
        (0.81, Outcome.CHALLENGER),
        (0.8, Outcome.CHALLENGER),
        (0.75, Outcome.CHALLENGER),
        (0.69, Outcome.REFUSED),
    ],
)
def test_a_later_one_must_be_better_by_more_than_the_uncertainty(
    a: float, outcome: Outcome
) -> None:
    decision = _against(_student("x", a), _student("y", 0.8))
    assert decision.outcome is outcome
    if outcome is Outcome.CHALLENGER:
        assert decision.reason.startswith("the mean of auc/a, auc/b is")
        assert "than the champion's" in decision.reason


def test_less_is_better_where_the_objective_says_so() -> None:
    objective = Objective(metrics=["firmware/lut"], goal="minimize", exact=True)
    rules = Rules(gates={"lut": Gate(metric="firmware/lut", max=100)}, objective=objective)
    small, large = (
        Evidence(content_sha256=name, dataset_md5="d", metrics={"firmware/lut": luts})
        for name, luts in (("small", 50.0), ("large", 51.0))
    )
    assert _against(small, large, rules).outcome is Outcome.CHAMPION
    assert _against(large, small, rules).outcome is Outcome.CHALLENGER
    inexact = Rules(gates=rules.gates, objective=objective.model_copy(update={"exact": False}))
    decision = _against(small, large, inexact)
    assert decision.outcome is Outcome.CHALLENGER
    assert "no interval of firmware/lut" in decision.reason


def test_other_data_are_not_compared_unless_asked_for() -> None:
    better, champion = _student("x", 0.95, data="e" * 32), _student("y", 0.8)
    decision = _against(better, champion)
    assert decision.outcome is Outcome.CHALLENGER
    assert "another data set" in decision.reason
    assert RULES.objective is not None
    across = RULES.objective.model_copy(update={"across_data_sets": True})
    rules = Rules(gates=RULES.gates, objective=across)
    assert _against(better, champion, rules).outcome is Outcome.CHAMPION


def test_without_an_objective_or_evidence_the_champion_stays() -> None:
    rules = Rules(gates=RULES.gates)
    assert _against(_student("x", 0.95), _student("y", 0.8), rules).outcome is Outcome.CHALLENGER
    unknown = decide(RULES, _student("x", 0.95), None, has_champion=True)
    assert unknown.outcome is Outcome.CHALLENGER
    assert "no evidence" in unknown.reason


def test_the_champion_itself_is_checked_and_stays() -> None:
    champion = _student("x", 0.8)
    assert _against(champion, champion).outcome is Outcome.CHAMPION
    worse = Rules(gates={"auc": Gate(metric="auc/a", min=0.9)}, objective=RULES.objective)
    assert _against(champion, champion, worse).outcome is Outcome.REFUSED


def test_who_was_rolled_back_does_not_come_back_by_itself() -> None:
    decision = decide(RULES, _student("x", 0.95), _student("y", 0.8), set_back="noisy")
    assert decision.outcome is Outcome.CHALLENGER
    assert "rolled back (noisy)" in decision.reason


def test_tags_say_what_became_of_it_and_why() -> None:
    tags = verdict_tags(_against(_student("x", 0.69), None), "test")
    assert tags["verdict"] == "refused"
    assert tags["outcome"] == "refused"
    assert tags["gate_profile"] == "test"
    assert tags["reason"] == "1 of 1 gates failed: auc: 0.69 is below 0.7"
    assert tags["gate.auc"] == (
        "refused: 0.69 [0.68, 0.7] (≥ 0.7; margin -0.01); 0.69 is below 0.7"
    )
