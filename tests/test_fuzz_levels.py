"""Damaged outputs of VASP and Quantum ESPRESSO: read as far as they are sound, or refused in one line."""
import gzip
import math
import warnings

import pytest
from damage import damaged, garbage, quick
from hypothesis import given
from hypothesis import strategies as st
from project import ROOT

from wfclip.data.levels import (Levels, _read_incar, _read_pw_structure, levels_beside, read_outcar, read_pw_output,
                                read_vasprun)
from wfclip.data.layer import StructureError
from wfclip.data.profile import ProfileError

FILES = ROOT / "nbs/data/files/levels"
READERS = {"janus/OUTCAR": read_outcar, "janus/vasprun.xml": read_vasprun, "janus/INCAR": _read_incar,
           "graphene/scf.out": read_pw_output}
# what stands in a field, and what may take its place
WORSE = [b"********", b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"-0.1-0.2", b"", b"\x00\xff", b"<r>", b"&a;", b"\r"]


@st.composite
def worse(draw, good: bytes):
    "A good file with some of its words replaced, and now and then other line ends"
    words = good.split(b" ")
    places = draw(st.lists(st.integers(0, len(words) - 1), min_size=1, max_size=30))
    for i in places: words[i] = draw(st.sampled_from(WORSE))
    text = b" ".join(words)
    return draw(st.sampled_from([text, text.replace(b"\n", b"\r\n")]))


def contents(name: str):
    good = (FILES / name).read_bytes()
    return garbage | damaged(good) | worse(good)


def check(levels: Levels):
    "No number in Levels is anything but an energy, and no note longer than a line"
    numbers = [levels.efermi, levels.vbm, levels.cbm, levels.gap, *(levels.vacuum or ())]
    assert all(x is None or (isinstance(x, float) and math.isfinite(x) and abs(x) < 2e5) for x in numbers)
    assert levels.kind in ("hartree", "total", "unknown") and levels.dipole in (True, False, None)
    assert levels.cbm is None or (levels.vbm is not None and levels.gap == levels.cbm - levels.vbm > 0)
    assert all(note and "\n" not in note and "\r" not in note for note in levels.notes)


def attempt(read, path):
    try: return read(path)
    except (ProfileError, StructureError) as error:
        assert str(error).startswith(f"{path}: ") and len(str(error).splitlines()) == 1


@pytest.mark.parametrize("name", READERS)
@quick
@given(st.data())
def test_readers(tmp_path, name, data):
    path, zipped = (tmp_path / (name.split("/")[1] + ending) for ending in ("", ".gz"))
    content = data.draw(contents(name))
    path.write_bytes(content)
    levels = attempt(READERS[name], path)
    if levels is not None: check(levels)
    whole = gzip.compress(content, mtime=0)
    zipped.write_bytes(whole)
    same = attempt(READERS[name], zipped)
    assert (same and same.efermi) == (levels and levels.efermi)
    zipped.write_bytes(data.draw(damaged(whole)))
    if (levels := attempt(READERS[name], zipped)) is not None: check(levels)


@quick
@given(st.data())
def test_beside(tmp_path, data):
    for name in data.draw(st.lists(st.sampled_from([*READERS]), unique=True)):
        (tmp_path / name.split("/")[1]).write_bytes(data.draw(contents(name)))
    check(levels_beside(tmp_path / data.draw(st.sampled_from(["LOCPOT", "v.cube"]))))
    for path in tmp_path.iterdir(): path.unlink()


@quick
@given(contents("graphene/scf.out"))
def test_structure(tmp_path, content):
    path = tmp_path / "scf.out"
    path.write_bytes(content)
    with warnings.catch_warnings(action="ignore"): attempt(_read_pw_structure, path)


@pytest.mark.parametrize("read", [*READERS.values(), _read_pw_structure])
def test_no_file(tmp_path, read):
    (tmp_path / "empty").touch()
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "empty"): assert attempt(read, path) is None
