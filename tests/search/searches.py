"""What tests of searches share: a small plan, and workers that claim at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from l1distill.models.mlp import StudentSettings
from l1distill.search.plan import Plan
from l1distill.search.records import Decision, Step, Task
from l1distill.search.settings import SearchSettings
from l1distill.search.store import Store
from tests.search.test_trainer import FEATURES

CANDIDATES = 12
SETTINGS: dict[str, Any] = {
    "candidates": CANDIDATES,
    "generation": 8,
    "sampler": "random",
    "rungs": [1],
    "training": {"epochs": 3, "batch_size": 64, "learning_rate": 0.01, "patience": 3},
    "begin_epoch": 0,
    "end_epoch": 2,
    "space": {"depth": [1, 2], "nodes": [4, 6], "input_bits": [6, 8]},
}


def plan_of(strategy: Any = "co", **settings: Any) -> Plan:
    return Plan(
        strategy=strategy,
        settings=SearchSettings.model_validate({**SETTINGS, **settings}),
        base=StudentSettings(weight_bits=[4, 5, 6]),
        features=FEATURES,
        outputs=1,
        items=200,
        seed=5,
    )


def claim_at_once(stores: Sequence[Store]) -> None:
    """Each worker has a thread; no task may go to two, and none is left."""
    tasks = [
        Task(step=Step(phase=0, generation=9, rung=0), place=place, hidden=[4], members=[place])
        for place in range(30)
    ]
    stores[0].add(Decision(tasks=tasks))

    def claimed(number: int) -> list[int]:
        own = f"elsewhere:{number}:a"
        return [task.place for task in tasks if stores[number].claim(task, own)]

    with ThreadPoolExecutor(len(stores)) as pool:
        places = [place for part in pool.map(claimed, range(len(stores))) for place in part]
    assert sorted(places) == list(range(30))
