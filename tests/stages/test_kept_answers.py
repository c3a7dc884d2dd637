"""A teacher's answers to made-up items are kept beside it, and asked for where they are not."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
from numpy.typing import NDArray

from l1distill.stages.kept_answers import FOLDER, kept_answers

ITEMS = np.arange(12, dtype=np.float32).reshape(4, 3)


class _Teacher:
    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, 0

    def __call__(self, items: NDArray[np.float32] = ITEMS, *identity: str) -> NDArray[np.float32]:
        def ask() -> NDArray[np.float32]:
            self.asked += 1
            return items.sum(axis=-1, dtype=np.float32)

        return kept_answers(self.folder / "teacher", identity or ("a", "mse"), items, ask)


def test_the_same_is_asked_once(tmp_path: Path) -> None:
    teacher = _Teacher(tmp_path)
    for _ in range(2):
        answers = teacher()
        assert answers.dtype == np.float32
        np.testing.assert_array_equal(answers, [3, 12, 21, 30])
    assert teacher.asked == 1
    np.testing.assert_array_equal(teacher(ITEMS[::-1]), [30, 21, 12, 3])
    teacher(ITEMS.reshape(3, 4))
    teacher(ITEMS, "another teacher", "mse")
    teacher(ITEMS, "a", "kl")
    assert teacher.asked == 5


def test_those_who_ask_at_once_ask_once(tmp_path: Path) -> None:
    teacher, start = _Teacher(tmp_path), Barrier(4)

    def ask(_: int) -> NDArray[np.float32]:
        start.wait()
        return teacher()

    with ThreadPoolExecutor(4) as pool:
        for answers in pool.map(ask, range(4)):
            np.testing.assert_array_equal(answers, [3, 12, 21, 30])
    assert teacher.asked == 1


def test_what_is_damaged_is_asked_for_again(tmp_path: Path) -> None:
    teacher = _Teacher(tmp_path)
    teacher()
    (kept,) = (tmp_path / FOLDER).glob("*.npz")
    whole = kept.read_bytes()
    for content in (b"", b"no archive", whole[:-40], whole.replace(b"\x40\x40", b"\x41\x41")):
        kept.write_bytes(content)
        np.testing.assert_array_equal(teacher(), [3, 12, 21, 30])
        assert kept.read_bytes() == whole
    assert teacher.asked == 5


def test_where_nothing_can_be_kept_each_asks(tmp_path: Path) -> None:
    teacher = _Teacher(tmp_path)
    (tmp_path / FOLDER).write_text("a file where the folder would be")
    for _ in range(2):
        np.testing.assert_array_equal(teacher(), [3, 12, 21, 30])
    assert teacher.asked == 2
