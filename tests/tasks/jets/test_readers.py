"""Tables of jets: the layout of the public data set, parquet, columns, and what is refused."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from l1distill.core.errors import ConfigError, DataError
from l1distill.tasks.jets.readers.importing import count_jets, import_jets
from l1distill.tasks.jets.readers.settings import ConstituentTable, JetTables
from l1distill.tasks.jets.settings import (
    JetsDataSettings,
    JetsEvaluationSettings,
    JetsInputSettings,
    JetsTeacherSettings,
)
from l1distill.tasks.jets.task import TASK
from l1distill.tasks.records import GenerationServices

FEATURES = ("j_zlogz", "j_mass_mmdt", "j_multiplicity")
CLASSES = ("j_g", "j_q", "j_w", "j_z", "j_t")
PARTICLE = ("j1_px", "j1_ptrel", "j1_etarel", "j1_phirel", "j1_pdgid")
RNG = np.random.default_rng(3)
N = 40


def public_file(path: Path, **changed: Any) -> dict[str, np.ndarray]:
    """Write jets in the layout of doi:10.5281/zenodo.3602260; returns features and classes."""
    features = RNG.normal(size=(N, len(FEATURES)))
    kind = np.arange(N) % 6  # the last has no class: j_undef
    one_hot = np.eye(6)[kind]
    names = [*FEATURES, *CLASSES, "j_undef"]
    constituents = RNG.normal(size=(N, 150, 4))  # the last name has no number, as in the files
    content = {
        "jets": np.hstack([features, one_hot]),
        "jetFeatureNames": np.array(names, dtype="S"),
        "jetConstituentList": constituents,
        "particleFeatureNames": np.array(PARTICLE, dtype="S"),
        **changed,
    }
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            file[name] = values
    return {"features": content["jets"][:, :3], "kind": kind, "constituents": constituents}


def tables(path: Path, **changed: Any) -> JetTables:
    return JetTables.model_validate({"paths": str(path), "features": FEATURES, **changed})


def test_jets_of_the_public_layout_are_read(tmp_path: Path) -> None:
    first, second = (public_file(tmp_path / f"jets_{at}.h5") for at in range(2))
    inside = ConstituentTable(numbers=("j1_etarel", "j1_ptrel"), count=2)
    imported = import_jets(tables(tmp_path / "jets_*.h5", constituents=inside))
    kind = np.concatenate([first["kind"], second["kind"]])
    used = np.isin(kind, (0, 1, 4))
    expected = np.concatenate([first["features"], second["features"]])[used]
    np.testing.assert_array_equal(imported.table.jets[:, :3], expected.astype(np.float32))
    numbers = np.concatenate([first["constituents"], second["constituents"]])[used]
    np.testing.assert_array_equal(
        imported.table.jets[:, 3:], numbers[:, :2, [2, 1]].reshape(-1, 4).astype(np.float32)
    )
    assert [*imported.table.names[3:]] == [
        *("j1_etarel_1", "j1_ptrel_1", "j1_etarel_2", "j1_ptrel_2")
    ]
    np.testing.assert_array_equal(imported.table.columns["label"], kind[used] == 4)
    assert imported.left_out == {
        "of the class j_w": 14,
        "of the class j_z": 14,
        "of no class": 12,
    }
    assert [source.events for source in imported.sources] == [20, 20]


@pytest.mark.parametrize("kind", ["number", "word"])
def test_a_label_may_be_a_number_or_a_word_in_parquet(tmp_path: Path, kind: str) -> None:
    label = np.arange(N) % 5
    words = np.array(["g", "q", "w", "z", "t"])
    columns = {name: RNG.normal(size=N) for name in FEATURES}
    columns["label"] = label if kind == "number" else words[label]
    parquet.write_table(pyarrow.table(columns), tmp_path / "jets.parquet")
    chosen: dict[str, Any] = {"signal": [2, 3], "background": 0}
    if kind == "word":
        chosen = {"signal": ["w", "z"], "background": "g"}
    imported = import_jets(tables(tmp_path / "jets.parquet", label="label", **chosen))
    used = np.isin(label, (0, 2, 3))
    np.testing.assert_array_equal(imported.table.columns["label"], label[used] > 0)
    np.testing.assert_array_equal(
        imported.table.jets[:, 1], columns["j_mass_mmdt"][used].astype(np.float32)
    )


def test_columns_may_be_data_sets_or_fields(tmp_path: Path) -> None:
    columns = {name: RNG.normal(size=N) for name in FEATURES} | {"label": np.arange(N) % 2}
    with h5py.File(tmp_path / "columns.h5", "w") as file:
        for name, values in columns.items():
            file[name] = values
    with h5py.File(tmp_path / "fields.h5", "w") as file:
        file["jets"] = np.rec.fromarrays(list(columns.values()), names=list(columns))
    chosen = {"label": "label", "signal": 1, "background": 0}
    one = import_jets(tables(tmp_path / "columns.h5", table=None, **chosen)).table
    other = import_jets(tables(tmp_path / "fields.h5", **chosen)).table
    np.testing.assert_array_equal(one.jets, other.jets)
    np.testing.assert_array_equal(one.jets[:, 0], columns["j_zlogz"].astype(np.float32))


def test_nan_is_refused_or_left_out(tmp_path: Path) -> None:
    content = RNG.normal(size=(N, 3))
    content[12, 1], content[2, 0] = np.nan, np.inf  # jet 2 is of a class that is left out
    jets = np.hstack([content, np.eye(6)[np.arange(N) % 6]])
    public_file(tmp_path / "jets.h5", jets=jets)
    with pytest.raises(DataError, match=r"jets\.h5: j_mass_mmdt of jet 12 is nan; .*incomplete"):
        import_jets(tables(tmp_path / "jets.h5"))
    imported = import_jets(tables(tmp_path / "jets.h5", incomplete="drop"))
    assert imported.left_out["with a number that is NaN or infinite"] == 1
    assert len(imported.table.jets) == 19


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"features": ["j_massmmdt"]}, "no column 'j_massmmdt'; did you mean j_mass_mmdt"),
        ({"label": ["j_gg", "j_t"], "background": "j_gg"}, "data.files.label: .*did you mean j_g"),
        ({"table": "jet"}, "data.files.table: .*no data set 'jet'; did you mean jets"),
        ({"paths": []}, "data.files.paths: give it files"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest_name(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    public_file(tmp_path / "jets.h5")
    with pytest.raises(ConfigError, match=said):
        count_jets(tables(tmp_path / "jets.h5", **changed))


def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "jets.h5").write_bytes(b"nothing")
    (tmp_path / "jets.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        count_jets(tables(tmp_path / "jets.h5"))
    with pytest.raises(DataError, match="cannot be read as parquet"):
        count_jets(tables(tmp_path / "jets.parquet"))
    with pytest.raises(DataError, match="no such file"):
        count_jets(tables(tmp_path / "jet.h5"))
    public_file(tmp_path / "jets.h5")
    constituents = ConstituentTable(numbers=("j1_pt",))
    with pytest.raises(ConfigError, match="no column 'j1_pt'; did you mean j1_p"):
        import_jets(tables(tmp_path / "jets.h5", constituents=constituents))
    with pytest.raises(DataError, match="no jet is of the class j_t"):
        import_jets(tables(tmp_path / "jets.h5", limit=4))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"signal": ["j_top"]}, "signal: there is no class 'j_top'"),
        ({"background": ["j_g", "j_qq"]}, "background: there is no class 'j_qq'.*did you mean j_q"),
        ({"signal": ["j_g"]}, "both have the class j_g"),
    ],
)
def test_classes_are_checked(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tables(Path("jets.h5"), **changed)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of made-up jets in which the mass alone tells the classes apart."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(5)
    kind = np.arange(600) % 3
    features = rng.normal(size=(600, 3)) - np.outer(kind == 2, [0, 3, 0])
    one_hot = np.eye(6)[np.array([0, 1, 4])[kind]]
    public_file(folder / "jets.h5", jets=np.hstack([features, one_hot]))
    settings = JetsDataSettings(
        name="own_jets", folder=folder / "data", files=tables(folder / "jets.h5")
    )
    services = GenerationServices(
        executor=nullcontext,  # type: ignore[arg-type]
        progress=lambda *_: nullcontext(lambda *_: None),  # type: ignore[arg-type,return-value]
        work=folder,
        cache=folder,
    )
    settings.folder.mkdir()
    pictures = TASK.generate(settings, settings.folder, services)
    assert all(picture.path.is_file() for picture in pictures)
    return settings.folder


def test_a_data_set_of_own_jets_says_what_it_is(own: Path) -> None:
    dataset = TASK.open(own)
    assert dataset.training.items.values.shape == (600, 3)
    assert dataset.card.checks["auc/j_mass_mmdt"] > 0.97
    assert "200 jets are of the class j_t." in dataset.card.missing
    context = TASK.score_context(JetsEvaluationSettings(), dataset)
    assert context.background == "background"
    assert next(iter(context.trivial)) == "j_mass_mmdt"
    with pytest.raises(ConfigError, match=r"single_features: .*did you mean j_mass_mmdt"):
        TASK.score_context(JetsEvaluationSettings(single_features=("j_mass",)), dataset)
    light = context.trivial["j_mass_mmdt"]["signal"].mean()
    assert light > context.trivial["j_mass_mmdt"]["background"].mean(), "a low mass is signal"


def test_students_and_teachers_of_own_jets_read_its_columns(own: Path) -> None:
    inputs = JetsInputSettings(names=("j_mass_mmdt", "j_zlogz"))
    encoding = TASK.encoding(inputs, own)
    assert [feature.name for feature in encoding.features] == ["j_mass_mmdt", "j_zlogz"]
    assert encoding.positions == [1, 0]
    with pytest.raises(ConfigError, match="did you mean j_mass_mmdt"):
        TASK.encoding(JetsInputSettings(names=("j_mass",)), own)
    with pytest.raises(ConfigError, match="inputs=constituents: the data has none"):
        TASK.encoding(JetsInputSettings(inputs="constituents"), own)
    with pytest.raises(ConfigError, match=r"no constituents; read them with data.files.const"):
        TASK.teacher(JetsTeacherSettings(), own)
    dense = TASK.teacher(JetsTeacherSettings(architecture="dense"), own)
    assert dense.prunable_layers() == ["hidden_1", "latent", "logit"]
