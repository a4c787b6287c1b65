"""Files as people have them, in tests/files/structures: each gives the layer of a reference, or is refused truly."""
import bz2
import gzip
import lzma
import warnings

import numpy as np
import pytest
from project import ROOT, python

from wfclip.data.layer import StructureError
from wfclip.data.structure import read_layer
from wfclip.predict import Predictor

CASES = ROOT / "tests/files/structures"
SAME = {
    "reference_MoS2.cif": ("k1a_labels_only_no_formula.cif", "k1b_formula_question_mark.cif", "k1c_structural_free_text.cif", "k3a_bom.cif",
                           "k4a_ibrav4_celldm/pw.in", "k4b_ibrav0_A_alat/pw.in", "k5a_textfield_before_atoms.cif", "k6_MoS2.cell",
                           "k7a_geometry.in.next_step", "k7c_vasp4/POSCAR", "k7d_poscar_named.dat", "k10_latin1/POSCAR"),
    "reference_graphene.cif": ("k2a_graphene_P6mmm_both_atoms.cif",)}
REFUSED = {"k7b_cp2k.inp": "an input of CP2K, which is not read; give its .restart file. Read are CIF, POSCAR, ",
           "k7e_siesta.fdf": "an fdf of SIESTA, which is not read; give its STRUCT_OUT or XV file. Read are CIF, POSCAR, ",
           "k9a_water_marked_TTF.xyz": "this is a molecule, not a layer"}


@pytest.fixture(scope="module")
def predictor(): return Predictor.from_pretrained(device="cpu")


@pytest.mark.parametrize("name, reference", [(name, reference) for reference, names in SAME.items() for name in names])
def test_same(predictor, name, reference):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        layer, right = read_layer(CASES / name), read_layer(CASES / reference)
    assert (layer.formula, sorted(layer.numbers)) == (right.formula, sorted(right.numbers))
    assert np.allclose([layer.area, layer.thickness, layer.vacuum], [right.area, right.thickness, right.vacuum], atol=1e-4)
    found, expected = predictor.predict([layer, right])
    for energy in ("phi_top", "phi_bottom", "work_function", "ionization_energy", "electron_affinity"):
        assert getattr(found, energy) == pytest.approx(getattr(expected, energy), abs=0.002), energy
    told = [str(w.message) for w in heard]
    assert ["equivalent by symmetry" in text for text in told] == [True] * name.startswith("k2"), told


WRITTEN = {"lines end as on Windows": ("{}", lambda x: x.replace(b"\n", b"\r\n")), "a mark at the beginning": ("{}", lambda x: b"\xef\xbb\xbf" + x.removeprefix(b"\xef\xbb\xbf")),
           "tabs": ("{}", lambda x: x.replace(b" ", b"\t")), "blank lines at the end": ("{}", lambda x: x + b"\n \n"), "gzip": ("{}.gz", gzip.compress), "bzip2": ("{}.bz2", bz2.compress),
           "xz": ("{}.xz", lzma.compress)}


@pytest.mark.parametrize("how", WRITTEN)
def test_same_in_another_writing(how, tmp_path, monkeypatch):
    "However it is packed and its lines end, under a name in capitals or not, by a relative path in a folder whose name has blanks"
    ending, change = WRITTEN[how]
    (folder := tmp_path / "my layers").mkdir()
    monkeypatch.chdir(tmp_path)
    for reference, names in SAME.items():
        right = read_layer(CASES / reference)
        for name in names:
            path = folder / ending.format(name.replace("/", " ") if "POSCAR" not in name else "POSCAR")
            for given in (path, path.with_name(path.name.upper()), path.with_name(path.name.lower())):
                given.write_bytes(change((CASES / name).read_bytes()))
                with warnings.catch_warnings(action="ignore"): layer = read_layer(given.relative_to(tmp_path))
                assert (layer.formula, sorted(layer.numbers)) == (right.formula, sorted(right.numbers)), given
                assert np.allclose([layer.area, layer.thickness, layer.vacuum], [right.area, right.thickness, right.vacuum], atol=1e-4), given


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises(StructureError, match=REFUSED[name]) as caught: read_layer(CASES / name)
    assert str(caught.value).startswith(f"{CASES / name}: ") and "\n" not in str(caught.value)


def test_references(predictor):
    "What the references are, and the very graphene that is in the bundled data: its computed values stand beside what is predicted"
    layers = [read_layer(CASES / name) for name in ("reference_MoS2.cif", "reference_graphene.cif", "reference_phosphorene.xyz")]
    assert [(layer.formula, len(layer)) for layer in layers] == [("MoS2", 3), ("C", 2), ("P", 4)]
    graphene = predictor.predict(layers[1])
    assert graphene.known and graphene.known.gap == 0 and graphene.known.work_function == pytest.approx(4.25, abs=0.01)


def test_starts_no_program(tmp_path):
    "Nothing that a reader does starts a program, whatever the format"
    code = ("import sys, warnings; warnings.simplefilter('ignore')\n"
            "def hook(event, args):\n"
            "    if event in ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'os.spawn'): print(event, args)\n"
            "from wfclip.data.structure import read_layers\n"
            "sys.addaudithook(hook)\n"
            "for path in sys.argv[1:]: print(*read_layers(path))\n")
    (tmp_path / "run.py").write_text(code, encoding="utf-8")
    files = [p for p in sorted(CASES.rglob("*")) if p.is_file()]
    text = python(tmp_path / "run.py", *files, PYTHONPATH=str(ROOT))
    assert len(text.splitlines()) == len(files) and not any(line.startswith(("os.", "subprocess")) for line in text.splitlines()), text
