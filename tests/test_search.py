"""Search: flat memory, exactness, and files that stay whole whatever happens to the process that writes them."""
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from project import ROOT, python
from small import small_run

from wfclip import index as module
from wfclip.data.dataset import load_dataset
from wfclip.data.profile import Profile
from wfclip.data.structure import read_layer
from wfclip.embed import _crystal_columns, _index_about, _profile_columns, index_dataset
from wfclip.index import Index, _element_bits, write_index
from wfclip.nearest import top_k
from wfclip.predict import Predictor
from wfclip.search import candidate_lines, search

def rows(first: int, size: int, embeddings) -> dict:
    "Columns of made-up materials"
    wf, one = np.linspace(4, 5, size), np.ones(size)
    energies = dict.fromkeys(("phi_top", "phi_bottom", "work_function", "ionization_energy", "electron_affinity"), wf)
    texts = {k: [f"{k} {i}" for i in range(first, first + size)] for k in ("id", "formula", "source")}
    return energies | texts | dict(embeddings=embeddings, elements=_element_bits([[42, 16]] * size), n_atoms=3 * one,
                                   gap=0 * one, thickness=one, step=0 * one, unseen=0 * one, predicted=one, faces_known=one)


PATH = f"{ROOT / 'tests'}{os.pathsep}{ROOT}"
ABOUT = dict(side="crystal", model="made up", note="made up")


def test_memory_is_flat(tmp_path):
    code = """
import resource, sys
import numpy as np, torch
from test_search import rows
from wfclip.index import Index, write_index
from wfclip.nearest import top_k
n, D, size = 200_000, 384, 4000
query, planted = np.eye(D, dtype=np.float32)[7], (5, 77_777, 199_999)
def blocks():
    rng = np.random.default_rng(0)
    for first in range(0, n, size):
        x = rng.standard_normal((size, D), dtype=np.float32)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        for i in planted:
            if first <= i < first + size: x[i - first] = query
        yield rows(first, size, x)
next(blocks())                               # what this needs itself
top_k(torch.ones(8), np.ones((9, 8), np.float16), 3)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
before = peak()
write_index("many.safetensors", blocks(), side="crystal", model="", note="")
written = peak()
index = Index("many.safetensors")
similarity, found = top_k(torch.from_numpy(query), index["embeddings"], 4)
assert found[:3].tolist() == list(planted) and similarity[:3].tolist() == [1, 1, 1] and similarity[3] < .5
assert [index.text("id", i) for i in planted] == [f"id {i}" for i in planted]
print(written - before, peak() - written)
"""
    for grown in map(float, python("-c", code, cwd=tmp_path, PYTHONPATH=PATH, OMP_NUM_THREADS="1").split()):
        assert grown < 40  # MB, of a file of 165


def test_a_kill_leaves_nothing_behind(tmp_path):
    code = f"""
import os
import numpy as np
from test_search import rows
from wfclip.index import write_index
def blocks():
    yield rows(0, 9, np.eye(9))
    os.kill(os.getpid(), {int(signal.SIGKILL)})
write_index("index.safetensors", blocks(), side="crystal", model="", note="")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ | dict(PYTHONPATH=PATH))
    assert done.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_old_index(tmp_path, monkeypatch):
    path = tmp_path / "index.safetensors"
    write_index(path, [rows(0, 9, np.eye(9))], **ABOUT)
    old = path.read_bytes()

    def full(file, kind):
        yield np.zeros(1, kind)
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(module, "_spooled", full)
    with pytest.raises(OSError, match="No space"): write_index(path, [rows(0, 5, np.eye(5))], **ABOUT)
    assert os.listdir(tmp_path) == [path.name] and path.read_bytes() == old


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 70), st.integers(1, 80), st.integers(0, 2**32 - 1))
def test_search_is_exact(n, q, k, block, seed):
    rng = np.random.default_rng(seed)
    matrix, query, keep = rng.integers(-2, 3, (n, 3)), rng.integers(-2, 3, (q, 3)), rng.random(n) < 0.7
    s = query @ matrix.T
    best = [sorted(np.flatnonzero(keep), key=lambda i: (-row[i], i))[:k] for row in s]  # noqa: B023
    similarity, found = top_k(torch.tensor(query), matrix.astype(np.float16), k, keep, block)
    assert found.tolist() == best
    assert similarity.tolist() == [[row[i] for i in where] for row, where in zip(s, best)]


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_index_is_refused_or_read(tmp_path, data):
    path = tmp_path / "index.safetensors"
    write_index(path, [rows(0, 3, np.eye(3))], **ABOUT)
    good = path.read_bytes()
    i = data.draw(st.integers(0, len(good)))
    path.write_bytes(good[:i] + data.draw(st.binary(max_size=6)) + good[i + data.draw(st.integers(0, 6)):])
    try: search(work_function=(4, 5), index=path)
    except ValueError as error: assert str(error) and "\n" not in str(error)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "A small model with an index of crystals and one of profiles of its own dataset"
    folder = tmp_path_factory.mktemp("search")
    predictor = Predictor.from_pretrained(small_run(folder), "cpu")
    data = load_dataset(folder / "small.safetensors")
    index_dataset(data, folder / "crystals.safetensors", predictor)
    profiles = [data.profile(i) for i in range(len(data))]
    columns = _profile_columns(profiles, data.ids, predictor)
    write_index(folder / "profiles.safetensors", [columns], **_index_about(predictor, "profile"))
    return folder, predictor, data


def test_either_side_answers_either_query(run):
    folder, predictor, data = run
    both = {side: folder / f"{side}s.safetensors" for side in ("crystal", "profile")}
    for side, path in both.items():
        own = dict(like=data.layer(7)) if side == "crystal" else dict(profile=data.profile(7))
        first = search(**own, index=path, model=predictor, k=1)[0]
        assert first.similarity > 0.999 and first.same == (side == "crystal")
    there = {c.id: c.similarity for c in search(like=data.layer(7), index=both["profile"], model=predictor, k=999)}
    back = {c.id: c.similarity for c in search(profile=data.profile(7), index=both["crystal"], model=predictor, k=999)}
    assert len(there) == len(back) == len(data) and there[data.ids[7]] == pytest.approx(back[data.ids[7]], abs=1e-3)
    crystals, profiles = Index(both["crystal"]), Index(both["profile"])
    for k in ("phi_top", "phi_bottom", "work_function", "step"): assert np.allclose(crystals[k], profiles[k], atol=1e-4)
    gapped = crystals["gap"] > 0
    for k in ("ionization_energy", "electron_affinity", "gap"):
        assert np.allclose(crystals[k][gapped], profiles[k][gapped], atol=1e-3)
    with pytest.raises(ValueError, match="do not tell elements"): search(elements="Mo", index=both["profile"])


def test_predicted_and_never_seen(run, tmp_path):
    folder, predictor, data = run
    strange = replace(data.layer(0), numbers=np.full_like(data.layer(0).numbers, 93), id="strange")
    layers = [data.layer(1), strange, data.layer(1).repeat(2, 2)]
    columns = _crystal_columns(layers, ["a", "b", "c"], predictor)
    write_index(tmp_path / "own.safetensors", [columns], **_index_about(predictor, "crystal"))
    found = search(like=layers[0], index=tmp_path / "own.safetensors", model=folder / "run", device="cpu")
    assert [c.predicted for c in found] == [True] * 3 and [c.same for c in found] == [True, True, False]
    assert [c.unseen for c in found] == [False, False, True] and found[2].id == "strange"
    text = list(candidate_lines(found))
    assert sum(line.endswith("!") for line in text) == 1 and text[-1].startswith("! Contains")
    energies = predictor.energies(predictor.encode([layers[0]]))
    assert found[0].phi_top == pytest.approx(float(energies["phi_top"]), abs=1e-3) == found[1].phi_top
    json.dumps(found.to_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="another model"):
        search(like=layers[0], model=predictor)   # the bundled index was made by the bundled model


def test_files_as_queries(run, tmp_path):
    folder, predictor, data = run
    p = data.profile(3)
    same = Profile.from_potential(p.z, p.phi, efermi=0)
    np.savetxt(tmp_path / "wanted.csv", np.stack([p.z, p.phi], 1), delimiter=",")
    index = Index(folder / "crystals.safetensors")
    with pytest.raises(ValueError, match="Fermi level"): search(profile=tmp_path / "wanted.csv", index=index, model=predictor)
    by_file = search(profile=tmp_path / "wanted.csv", index=index, model=predictor, efermi=0)
    assert by_file == search(profile=same, index=index, model=predictor)
    cif = ROOT / "tests/files/WSSe.cif"
    by_file, by_object = (search(like=x, index=index, model=predictor) for x in (cif, read_layer(cif)))
    assert by_file == by_object and by_file.query.startswith("like WSSe: 3 atoms")
    with pytest.raises(ValueError, match="no such file"): search(like=tmp_path / "x.cif", index=index, model=predictor)
