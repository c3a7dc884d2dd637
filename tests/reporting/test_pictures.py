from pathlib import Path

import pytest

from l1distill.core.errors import DataError
from l1distill.reporting.pictures import Picture, read_captions, write_captions


def test_captions_read_as_they_were_written_in_their_order(tmp_path: Path) -> None:
    names = {"z.png": "First", "a.png": "Second, in μ"}
    pictures = [
        Picture(caption=text, path=tmp_path / "plots" / name) for name, text in names.items()
    ]
    write_captions(pictures, tmp_path)
    assert read_captions(tmp_path) == pictures
    moved = tmp_path / "elsewhere"
    (tmp_path / "plots").rename(tmp_path / "kept")
    moved.mkdir()
    (tmp_path / "kept").rename(moved / "plots")
    assert [picture.path for picture in read_captions(moved)] == [
        moved / "plots/z.png",
        moved / "plots/a.png",
    ]


def test_a_stage_may_have_no_pictures(tmp_path: Path) -> None:
    write_captions([], tmp_path)
    assert read_captions(tmp_path) == []


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"captions\.json"):
        read_captions(tmp_path)
