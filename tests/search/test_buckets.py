"""How candidates are divided into populations."""

import itertools

import numpy as np
import pytest

from l1distill.search.buckets import COMPILATION, Widths, Work, filled_up, populations


def draw(number: int) -> list[Widths]:
    rng = np.random.default_rng(0)
    return [
        tuple(rng.choice([4, 8, 16, 32, 64], rng.integers(1, 5)).tolist()) for _ in range(number)
    ]


def cost(divided: list[tuple[Widths, list[int]]], work: Work) -> float:
    shapes = {widths for widths, _ in divided} - work.known
    calculated = sum(work.of(widths, len(members)) for widths, members in divided)
    repeated = len([widths for widths, _ in divided if widths not in work.known]) - len(shapes)
    return calculated - repeated * COMPILATION


@pytest.mark.parametrize("items", [1e3, 1e5, 1e6])
def test_every_candidate_is_in_one_population_that_holds_it(items: float) -> None:
    candidates = draw(300)
    work = Work(features=57, outputs=1, items=items)
    divided = populations(candidates, work)
    placed = [number for _, members in divided for number in members]
    assert sorted(placed) == list(range(300))
    for widths, members in divided:
        assert 0 < len(members) <= 8
        for number in members:
            assert len(candidates[number]) == len(widths)
            assert all(a <= b for a, b in zip(candidates[number], widths, strict=True))
    exact = [(widths, [0] * candidates.count(widths)) for widths in sorted(set(candidates))]
    widest = [
        ((64,) * depth, [0] * sum(len(c) == depth for c in candidates)) for depth in range(1, 5)
    ]
    assert cost(divided, work) <= min(cost(exact, work), cost(widest, work))


def test_the_more_items_the_more_shapes_are_compiled() -> None:
    candidates = draw(300)
    shapes = [
        len(
            {widths for widths, _ in populations(candidates, Work(features=57, outputs=1, items=n))}
        )
        for n in (1e2, 1e5, 1e6, 1e9)
    ]
    assert shapes[0] == 4, "one of each depth"
    assert shapes[-1] == len(set(candidates))
    assert all(a < b for a, b in itertools.pairwise(shapes))


def test_what_is_compiled_already_is_used() -> None:
    known = frozenset({(16, 16), (64,)})
    work = Work(features=57, outputs=1, items=1e4, known=known)
    assert populations([(8, 16), (12, 4), (32,)], work) == [((64,), [2]), ((16, 16), [0, 1])]


def test_sizes_are_few() -> None:
    assert [filled_up(n) for n in (1, 2, 8, 9, 17)] == [8, 8, 8, 16, 24]
