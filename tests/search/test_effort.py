import pytest

from l1distill.search.effort import epochs_expected, epochs_of, epochs_per_cpu_s
from l1distill.search.records import Outcome, Step, Task
from l1distill.search.settings import SearchSettings

SETTINGS = SearchSettings(generation=4, rungs=[1, 3], factor=2.0)  # ten epochs in all


def _outcomes(*trained: int) -> list[Outcome]:
    """Candidates in order, and how long each was trained, rung by rung."""
    return [
        Outcome(number=number, rung=rung, epochs=until, loss=1.0)
        for number, epochs in enumerate(trained)
        for rung, until in enumerate((1, 3, 10))
        if until <= epochs
    ]


def test_a_search_that_begins_is_expected_to_halve_as_its_settings_say() -> None:
    # one epoch of all, two of every second, seven of every fourth
    assert epochs_expected(SETTINGS, 100, []) == pytest.approx(100 + 2 * 50 + 7 * 25)


def test_what_is_left_is_expected_to_be_as_long_as_the_generations_before() -> None:
    outcomes = _outcomes(1, 1, 3, 10, 1, 1)  # of the second generation, two of four
    assert epochs_of(outcomes) == {0: 1, 1: 1, 2: 3, 3: 10, 4: 1, 5: 1}
    assert epochs_expected(SETTINGS, 100, outcomes) == pytest.approx(100 * 15 / 4)
    assert epochs_expected(SETTINGS, 4, outcomes) == 17  # never less than is done


def test_the_rate_of_an_earlier_run_is_that_of_its_tasks() -> None:
    tasks = [
        Task(
            step=Step(phase=0, generation=0, rung=0),
            place=place,
            hidden=[],
            members=[],
            done=place < 2,
            cpu_s=5.0,
        )
        for place in range(3)
    ]
    assert epochs_per_cpu_s(tasks, _outcomes(10, 10)) == pytest.approx(2.0)
    assert epochs_per_cpu_s([], []) is None
