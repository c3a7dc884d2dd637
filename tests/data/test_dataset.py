import re
from pathlib import Path

import numpy as np
import pytest

from l1distill.data.card import Card, file_md5, write_card
from l1distill.data.dataset import open_dataset
from l1distill.data.events import SIGNALS, Events, write_events
from l1distill.errors import InputError


def _dataset(folder: Path, seed: int = 0) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for name in ("background", *SIGNALS):
        write_events(folder / f"{name}.h5", Events(rng.exponential(30.0, (20, 19, 3))))
    names = [path.name for path in sorted(folder.glob("*.h5"))]
    write_card(
        folder,
        Card(
            dataset="anomaly",
            settings={},
            versions={},
            files=dict.fromkeys(names, 20),
            md5={name: file_md5(folder / name) for name in names},
            samples={},
            checks={},
            missing=[],
        ),
    )
    return folder


def test_samples_come_background_first(tmp_path: Path) -> None:
    objects = open_dataset(_dataset(tmp_path / "data")).objects()
    assert list(objects) == ["background", *SIGNALS]
    assert {values.shape for values in objects.values()} == {(20, 19, 3)}


def test_the_identity_is_that_of_the_content(tmp_path: Path) -> None:
    first = open_dataset(_dataset(tmp_path / "a")).md5
    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert open_dataset(_dataset(tmp_path / "b")).md5 == first
    assert open_dataset(_dataset(tmp_path / "c", seed=1)).md5 != first


def test_a_file_that_is_not_the_cards_is_refused(tmp_path: Path) -> None:
    folder = _dataset(tmp_path / "data")
    rng = np.random.default_rng(9)
    write_events(folder / "a_4l.h5", Events(rng.exponential(30.0, (20, 19, 3))))
    with pytest.raises(InputError, match=r"a_4l\.h5: not the file that card\.json describes"):
        open_dataset(folder).objects()


def test_a_missing_data_set_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run l1distill generate first"):
        open_dataset(tmp_path / "nowhere")
