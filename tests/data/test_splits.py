"""Splits follow from an event's content and from nothing else."""

import numpy as np
import pytest

from l1distill.data.splits import FRACTIONS, Split, assign, hash_events


@pytest.fixture(scope="module")
def objects() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(70_000, 19, 3)).astype(np.float32)


def test_order_does_not_matter(objects: np.ndarray) -> None:
    order = np.random.default_rng(6).permutation(len(objects))
    np.testing.assert_array_equal(assign(objects[order]), assign(objects)[order])


def test_appending_moves_nothing(objects: np.ndarray) -> None:
    np.testing.assert_array_equal(assign(objects)[:1234], assign(objects[:1234]))


def test_sharding_does_not_matter(objects: np.ndarray) -> None:
    shards = np.array_split(objects, 7)
    np.testing.assert_array_equal(
        np.concatenate([assign(shard) for shard in shards]), assign(objects)
    )


def test_fractions(objects: np.ndarray) -> None:
    found = np.bincount(assign(objects), minlength=3) / len(objects)
    for split in Split:
        expected = FRACTIONS[split]
        error = np.sqrt(expected * (1 - expected) / len(objects))
        assert abs(found[split] - expected) < 4 * error


def test_duplicates_share_a_split(objects: np.ndarray) -> None:
    twice = np.concatenate([objects[:5000], objects[:5000][::-1]])
    splits = assign(twice)
    np.testing.assert_array_equal(splits[:5000], splits[5000:][::-1])


def test_precision_memory_layout_and_sign_of_zero_do_not_matter(objects: np.ndarray) -> None:
    some = objects[:3000].copy()
    some[:, 10:] = 0.0
    expected = hash_events(some)
    np.testing.assert_array_equal(hash_events(some.astype(np.float64)), expected)
    np.testing.assert_array_equal(hash_events(some.astype(">f4")), expected)
    np.testing.assert_array_equal(hash_events(np.asfortranarray(some)), expected)
    some[:, 10:] = -0.0
    np.testing.assert_array_equal(hash_events(some), expected)


def test_the_hash_is_the_same_for_ever() -> None:
    events = np.arange(2 * 57, dtype=np.float32).reshape(2, 19, 3)
    assert hash_events(events).tolist() == [5421551278483307444, 12735099091002088168]


def test_every_number_counts(objects: np.ndarray) -> None:
    base = objects[:1]
    changed = np.repeat(base, 57, axis=0).reshape(57, 57)
    changed[np.arange(57), np.arange(57)] = np.nextafter(changed.diagonal(), np.float32(9))
    hashes = hash_events(np.concatenate([base, changed.reshape(57, 19, 3)]))
    assert len(np.unique(hashes)) == 58


def test_hash_bits_are_even_for_events_that_differ_little() -> None:
    events = np.zeros((20_000, 19, 3), dtype=np.float32)
    events[:, 0, 0] = np.arange(20_000) * 0.25
    bits = (hash_events(events)[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(20_000)


def test_no_events() -> None:
    assert assign(np.zeros((0, 19, 3))).shape == (0,)
