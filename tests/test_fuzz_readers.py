"""Damaged potentials and structures: read, or refused in one sentence, in little time and memory.

Each format's files are damaged by hypothesis, which looks for the smallest that fails, and then at random, in a
process of its own that may take 4 GB and 20 s a file. `WFCLIP_FUZZ=10000 pytest tests/test_fuzz_readers.py` reads
that many, in all formats together; `python tests/damage.py 1 NUMBER FORMAT` reads one of them again.
"""
import bz2
import json
import os
import re
import warnings

import numpy as np
import pytest
from damage import STRUCTURES, answer, damaged, formats, garbage, one_sentence, quick, shown
from hypothesis import given
from hypothesis import strategies as st
from project import ROOT, python

from wfclip.data.check import potential_row
from wfclip.data.layer import StructureError
from wfclip.data.profile import ProfileError
from wfclip.data.readers import read_potential
from wfclip.data.structure import read_layer

POTENTIALS = ("locpot", "locpot.gz", "locpot.xz", "locpot.bz2", "cube", "cube.gz", "average", "planar", "fraction", "csv",
              "unnamed", "vaspout", "gpw", "stdout", "hubbard", "pav", "abacus", "letterless", "columns", "shifted", "step")
FORMATS = POTENTIALS + STRUCTURES
CASES = int(os.environ.get("WFCLIP_FUZZ", 1000)) // len(FORMATS) + 1  # of each format
MEMORY = 700  # MB that reading a small file may take, imports included


@pytest.fixture(scope="module")
def samples():
    pytest.importorskip("h5py")
    return formats()


@pytest.mark.parametrize("kind", FORMATS)
def test_good(samples, tmp_path, kind):
    "What is damaged below was good"
    sample = samples[kind]
    for name, content in {sample.name: sample.content, **sample.beside}.items(): (tmp_path / name).write_bytes(content)
    with warnings.catch_warnings(action="ignore"): found = answer(kind, tmp_path / sample.name, sample.units)
    refused = {"gpw", "jarvis", "xdatcar", "k7b_cp2k.inp", "k7e_siesta.fdf", "k9a_water_marked_TTF.xyz"}  # half a file; several; see the cases
    assert found == ("refused" if kind in refused else "read")


@pytest.mark.parametrize("kind", [*(k for k in POTENTIALS if k != "gpw" and "t." not in k), "database"])
@quick
@given(st.data())
def test_damaged(samples, tmp_path, kind, data):
    sample = samples[kind]
    for name, content in sample.beside.items():
        (tmp_path / name).write_bytes(content if data.draw(st.booleans()) else data.draw(damaged(content)))
    (path := tmp_path / sample.name).write_bytes(data.draw(garbage | damaged(sample.content)))
    with warnings.catch_warnings(action="ignore"): answer(kind, path, sample.units)


@pytest.mark.parametrize("kinds", [POTENTIALS, STRUCTURES], ids=["potentials", "structures"])
def test_mutated(kinds):
    pytest.importorskip("h5py")
    text = python(ROOT / "tests/damage.py", CASES, 0, *kinds, PYTHONPATH=str(ROOT))
    print(text)
    told = [json.loads(line) for line in text.splitlines()]
    assert [t["kind"] for t in told] == [*kinds] and all(t["cases"] == CASES and t["MB"] < MEMORY for t in told)


@pytest.mark.parametrize("name", ["Übung µ.csv", "C:\\data\\x.csv", "a b.csv", "'\"`$(x).csv", "two\nlines.csv",
                                  "\x1b[31mred.csv", "\udcff.csv", "-x.csv", "%s{}.csv"])
def test_names(samples, tmp_path, name):
    "A file may be called anything, and so may its folder"
    (folder := tmp_path / name).mkdir()
    (path := folder / name).write_bytes(samples["csv"].content)
    with warnings.catch_warnings(action="ignore"): assert potential_row(read_potential(path))["phi_top"] is None
    path.write_bytes(b"no numbers")
    for source in (path, folder, folder / "nowhere"):
        for read, error in ((read_potential, ProfileError), (read_layer, StructureError)):
            with pytest.raises(error) as caught: read(source)
            one_sentence(caught.value, source)
            str(caught.value).encode()  # can be printed


def refusal(path, content: str | bytes, **options) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ProfileError) as caught, warnings.catch_warnings(action="ignore"):
        potential_row(read_potential(path, **options))
    one_sentence(caught.value, path)
    return str(caught.value).removeprefix(shown(path))


def table(samples, factor=(1.0, 1.0), third=None, sep=" ", header="") -> str:
    z, v = np.loadtxt(samples["csv"].content.decode().splitlines()[1:], delimiter=",").T
    rows = zip(z * factor[0], v * factor[1], *(() if third is None else (third(v),)))
    return header + "\n".join(sep.join(f"{x:.6f}" for x in row) for row in rows)


@pytest.mark.parametrize("change, reason", [
    (dict(factor=(1, 1 / 27.2114)), "say in which unit"), (dict(factor=(1, -1)), "opposite sign"),
    (dict(factor=(1, 1e6)), "its unit"), (dict(factor=(1, 0)), "spans 0 only"), (dict(factor=(1e6, 1)), "too coarse"),
    (dict(factor=(1 / 18.25, 1)), "not as fractions"), (dict(factor=(0.1, 1)), "give them in Å"),
    (dict(factor=(-1, 1)), "sort or interpolate"), (dict(third=lambda v: v[::-1] ** 2), "not those of average.x"),
    (dict(third=np.sin, sep=",", header="z,V,other\n"), "not those of average.x"),
    (dict(third=lambda v: v, header="# z (Å) V (eV) V (eV)\n"), "not those of average.x"),
    (dict(header="z (a.u.), V (a.u.)\n"), "says a.u.")])
def test_columns_refused(samples, tmp_path, change, reason):
    assert reason in refusal(tmp_path / "x.csv", table(samples, **change))


def test_columns_read(samples, tmp_path):
    "What spreadsheets make of a table, and what a header names"
    def read(text: bytes):
        (path := tmp_path / "x.csv").write_bytes(text)
        return read_potential(path)
    right, plain = read(table(samples).encode()), table(samples)
    for same in (plain.replace(" ", "\t"), plain.replace(" ", ","), plain.replace(" ", ", ").replace("\n", ",\r\n"),
                 "\ufeffz;V\n" + plain.replace(" ", ";"), plain.replace(".", ",").replace(" ", ";"),
                 "z / nm, V / Ha\n" + table(samples, (0.1, 1 / 27.211386)),
                 "# z (bohr)  V in Ry\n" + table(samples, (1 / 0.529177, 1 / 13.605693))):
        found = read(same.encode())
        assert np.allclose(found.v, right.v, atol=2e-4) and np.allclose(found.z, right.z, atol=2e-4)
    for other in (plain.replace(".", ","), plain.replace("\n", "\n1 2 3 4\n", 1), plain.replace(" ", ",,")):
        assert "not two columns of numbers" in refusal(tmp_path / "x.csv", other)
    assert "save it as UTF-8" in refusal(tmp_path / "x.csv", plain.encode("utf-16"))
    assert "too large" in refusal(tmp_path / "x.csv", b"1\n" * 10**6)


def test_structure_of_another(samples, tmp_path):
    "A POSCAR of another calculation: another height, or atoms where the potential is not low"
    path, poscar = tmp_path / "PLANAR_AVERAGE.dat", samples["planar"].beside["POSCAR"].decode()
    moved = re.sub(r"0\.(\d)(\d+)\n", lambda m: f"0.{(int(m[1]) + 3) % 10}{m[2]}\n", poscar)
    for other, reason in ((poscar.replace("18.25", "25.00"), "25.00 Å high"), (moved, "give the structure of this calculation"),
                          (poscar.replace("3.25", "0.1"), "give the cell in Å"), ("", "is empty")):
        (tmp_path / "POSCAR").write_text(other, encoding="utf-8")
        assert reason in refusal(path, samples["planar"].content)


def test_declared_grids(samples, tmp_path):
    "Headers that promise more than there is, in plain files and in compressed ones"
    for kind, name, options in (("locpot", "LOCPOT", {}), ("cube", "v.cube", dict(units="Ha"))):
        lines = samples[kind].content.decode().splitlines()
        if kind == "locpot": lines[12] = "2000 2000 2000"
        else: lines[3:6] = [f"2000 {' '.join(line.split()[1:])}" for line in lines[3:6]]
        text = "\n".join(lines).encode()
        assert "promises 8000000000 numbers" in refusal(tmp_path / name, text, **options)
        assert "the file ends after" in refusal(tmp_path / f"{name}.bz2", bz2.compress(text), **options) or kind == "cube"
        lines[6 if kind == "locpot" else 2] = "1000000000" + " 0 0 0" * (kind == "cube")
        assert "atoms" in refusal(tmp_path / name, "\n".join(lines), **options)
