"""Optuna's samplers, asked for a generation at a time; what was told before is all that they know.

A study of Optuna is made anew in memory for each generation, from what the search has recorded and
with a seed of its own: the same records give the same candidates, whichever worker asks.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import optuna

Sampler = Literal["random", "tpe", "nsga2"]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What a sampler drew.

    Attributes:
        values: by name.
        distributions: by name, as JSON.
        attributes: what the sampler remembers of it.
        told: the objectives, less is better; None while it has none, empty where it failed.
    """

    values: Mapping[str, Any]
    distributions: Mapping[str, str]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    told: Sequence[float] | None = None


def ask(
    sampler: Sampler,
    earlier: Sequence[Draw],
    draw: Callable[["optuna.Trial"], None],
    number: int,
    *,
    objectives: int,
    population: int,
    seed: Sequence[int],
) -> list[Draw]:
    """Ask for a generation.

    Args:
        sampler: by its name.
        earlier: what was drawn before, in order.
        draw: suggests what a candidate is.
        number: of candidates.
        objectives: numbers that each is judged by.
        population: of a genetic sampler: candidates whose best are parents of the next.
        seed: of the random numbers.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            sampler=_sampler(sampler, number_of(seed), max(population, 2)),
            directions=["minimize"] * objectives,
        )
        study.add_trials([told_trial(one) for one in earlier])
        asked = [study.ask() for _ in range(number)]
        for trial in asked:
            draw(trial)
    frozen = study.get_trials(deepcopy=False)[-number:]
    return [
        Draw(
            values=dict(trial.params),
            distributions={
                name: optuna.distributions.distribution_to_json(one)
                for name, one in trial.distributions.items()
            },
            attributes=dict(trial.system_attrs),
        )
        for trial in frozen
    ]


def told_trial(draw: Draw) -> "optuna.trial.FrozenTrial":
    """Return what was drawn, and told, as a trial of Optuna."""
    import optuna

    states = optuna.trial.TrialState
    distributions = {
        name: optuna.distributions.json_to_distribution(one)
        for name, one in draw.distributions.items()
    }
    common: dict[str, Any] = {
        "params": dict(draw.values),
        "distributions": distributions,
        "system_attrs": dict(draw.attributes),
    }
    if draw.told is None:
        return optuna.trial.create_trial(state=states.RUNNING, **common)
    if not len(draw.told):
        return optuna.trial.create_trial(state=states.FAIL, **common)
    return optuna.trial.create_trial(state=states.COMPLETE, values=list(draw.told), **common)


def number_of(seed: Sequence[int]) -> int:
    """Return a number of 32 bits that follows from several."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def _sampler(name: Sampler, seed: int, population: int) -> "optuna.samplers.BaseSampler":
    import optuna

    if name == "random":
        return optuna.samplers.RandomSampler(seed)
    if name == "tpe":  # one of a batch takes those before it for bad
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=population)
