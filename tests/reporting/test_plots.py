import re
from pathlib import Path

from l1distill.reporting.pictures import Picture
from l1distill.reporting.plots.history import draw_history
from l1distill.reporting.plots.style import PALETTE, color_of
from l1distill.training.history import History

PNG = b"\x89PNG\r\n"


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    """A picture is an output like another: its hash must not change by itself."""
    history = History(loss=[1.0, 0.5], validation_loss=[1.1, 0.6])
    first, second = (draw_history(history, tmp_path / name, "Training") for name in ("a", "b"))
    assert first == Picture(caption="Training", path=tmp_path / "a/plots/history.png")
    content = first.path.read_bytes()
    assert content.startswith(PNG)
    assert len(content) > 5_000
    assert content == second.path.read_bytes()
    other = History(loss=[1.0, 0.4], validation_loss=[1.1, 0.6])
    assert draw_history(other, tmp_path / "c", "Training").path.read_bytes() != content


def test_a_name_keeps_its_color() -> None:
    names = [f"signal {number}" for number in range(50)]
    colors = [color_of(name) for name in names]
    assert colors == [color_of(name) for name in names]
    assert set(colors) == set(PALETTE), "all of the palette is used"
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
