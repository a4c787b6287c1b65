"""The page that explores the bundled materials shows what the package says of them."""
import base64
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from ase.formula import Formula
from project import ROOT

from wfclip import Predictor, load_dataset
from wfclip.crossval import read_left_out
from wfclip.index import Index
from wfclip.search import search

sys.path.insert(0, str(ROOT / "tools"))
from build_explorer import explorer_data, write_explorer_data  # noqa: E402

DATA = load_dataset()
SOME = np.random.default_rng(0).choice(len(DATA), 40, replace=False)


@pytest.fixture(scope="module")
def shown() -> dict:
    return json.loads(json.dumps(explorer_data()))


def column(lengths: list[int], flat: list) -> list[np.ndarray]:
    "A flat list, material by material"
    return np.split(np.array(flat, float), np.cumsum(lengths)[:-1])


def test_profiles_are_those_of_the_dataset_within_half_a_step(shown):
    p = shown["profiles"]
    values = np.frombuffer(base64.b64decode(p["phi"]["int16"]), "<i2") * p["phi"]["step"]
    assert p["phi"]["step"] <= .005
    profiles = column(p["lengths"], values)
    for i in SOME:
        known, (z0, spacing) = DATA.profile(i), p["grids"][2 * i:2 * i + 2]
        np.testing.assert_allclose(profiles[i], known.phi, atol=.51 * p["phi"]["step"])
        np.testing.assert_allclose(z0 + spacing * np.arange(len(known.z)), known.z, atol=.005)
        below, above = np.reshape(p["windows"][4 * i:4 * i + 4], (2, 2))
        for window, level in ((below, known.phi_bottom), (above, known.phi_top)):
            inside = (known.z >= window[0]) & (known.z <= window[1])
            assert abs(known.phi[inside].mean() - level) < .1


def test_structures_are_those_of_the_dataset_within_rounding(shown):
    s = shown["structures"]
    positions = column([3 * n for n in s["counts"]], s["positions"])
    numbers = column(s["counts"], s["numbers"])
    for i in SOME:
        layer = DATA.layer(i)
        assert [s["symbols"][int(z) - 1] for z in numbers[i]] == layer.symbols
        np.testing.assert_allclose(positions[i].reshape(-1, 3), layer.positions, atol=.00051)
        np.testing.assert_allclose(np.reshape(s["cells"][4 * i:4 * i + 4], (2, 2)), layer.cell[:2, :2], atol=.00051)


def test_each_prototype_has_its_legend(shown):
    kinds = shown["legend"]
    assert sorted(kinds["names"]) == shown["prototypes"] == sorted(set(DATA.prototypes))
    assert all(len(text) > 15 for text in kinds["meanings"]) and len(set(kinds["examples"])) == len(kinds["names"])
    for name, formula, i in zip(kinds["names"], kinds["formulas"], kinds["examples"]):
        assert DATA.prototypes[i] == name
        assert Formula(formula).reduce()[0].count() == Formula(DATA.formulas[i]).count()


def test_neighbours_are_the_nearest_in_the_shipped_index(shown):
    e = shown["embedding"]
    unit = np.asarray(Index()["embeddings"], float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for i in SOME:
        similarity, mine = unit @ unit[i], slice(e["k"] * i, e["k"] * i + e["k"])
        rows, stated = e["neighbors"][mine], e["similarity"][mine]
        assert i not in rows and len(set(rows)) == e["k"]
        np.testing.assert_allclose(stated, similarity[rows], atol=.002)
        assert np.delete(similarity, [i, *rows]).max() <= min(stated) + .002


def test_a_range_keeps_what_the_search_finds(shown):
    c = {k: np.array(shown["computed"][k], float) for k in ("phi_top", "phi_bottom", "gap")}
    face = np.any([(c[k] >= 4.4) & (c[k] <= 4.6) for k in ("phi_top", "phi_bottom")], axis=0)
    found = search(work_function=(4.4, 4.6), gap=(0, 0), k=len(DATA))
    assert {shown["ids"][i] for i in np.flatnonzero(face & (c["gap"] == 0))} == {m.id for m in found}


def test_predictions_are_those_of_a_member_that_has_not_seen_the_material(shown):
    predicted, computed = (np.array(shown[k]["phi_top"], float) for k in ("predicted", "computed"))
    left, some = read_left_out(DATA), range(0, len(DATA), 50)
    np.testing.assert_allclose(predicted[[DATA.ids.index(left.ids[k]) for k in some]], left.predicted["phi_top"][some], atol=.00051)
    model = Predictor.from_pretrained(device="cpu")
    recalled = model.energies(model.encode([DATA.layer(i) for i in SOME]))["phi_top"].numpy()
    assert np.abs(recalled - computed[SOME]).mean() < np.abs(predicted - computed)[SOME].mean() < .4


def test_the_file_is_small_and_always_the_same(tmp_path, shown):
    path = write_explorer_data(tmp_path)
    assert path.stat().st_size < 3e6
    text = path.read_text(encoding="utf-8")
    assert json.loads(text.removeprefix("window.WFCLIP_DATA=").removesuffix(";\n")) == shown


@pytest.mark.skipif(not shutil.which("node"), reason="no node")
def test_the_script_is_valid():
    subprocess.run(["node", "--check", ROOT / "tools/site/explorer.js"], check=True)
