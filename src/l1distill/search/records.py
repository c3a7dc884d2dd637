"""What a search keeps in its database: one record for each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A candidate that was drawn.

    Attributes:
        number: of the candidate in the search, from 0.
        phase: of the search, from 0.
        generation: of the phase, from 0.
        values: what was drawn, by name.
        distributions: from what, as JSON.
        attributes: what the sampler remembers of it.
    """

    number: int
    phase: int
    generation: int
    values: Mapping[str, Any]
    distributions: Mapping[str, str]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, order=True)
class Step:
    """A point of a search: a generation's candidates are trained to a rung, then the next.

    Attributes:
        phase: of the search, from 0.
        generation: of the phase, from 0.
        rung: from 0.
    """

    phase: int
    generation: int
    rung: int


@dataclass(frozen=True, kw_only=True)
class Task:
    """Candidates that one worker trains together to a rung.

    Attributes:
        step: when.
        place: of the task among those of its step.
        hidden: nodes of the hidden layers that they are filled up to.
        members: numbers of the candidates.
        done: whether their outcomes are recorded.
        cpu_s: CPU time that it took [s].
    """

    step: Step
    place: int
    hidden: Sequence[int]
    members: Sequence[int]
    done: bool = False
    cpu_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a candidate at a rung.

    Attributes:
        number: of the candidate.
        rung: from 0.
        epochs: that it was trained for.
        loss: best validation loss; None where it failed.
        costs: estimates by name; empty where its numbers are not rounded.
        metrics: of its answers to samples; empty before the last rung.
        snapshot: where to go on; dropped when nothing goes on from it.
    """

    number: int
    rung: int
    epochs: int
    loss: float | None
    costs: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    snapshot: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What follows when all tasks of a step are done.

    Attributes:
        drawn: new candidates.
        tasks: what is trained next; none at the end.
        dropped: by rung, numbers of the candidates whose snapshots nothing goes on from.
    """

    drawn: Sequence[Drawn] = ()
    tasks: Sequence[Task] = ()
    dropped: Mapping[int, Sequence[int]] = field(default_factory=dict)
