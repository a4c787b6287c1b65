"""Files of garbage are refused with a sentence: whatever the bytes, no reader raises anything but a ValueError."""
import warnings

import pytest
from damage import CIF, POSCAR, XYZ, damaged, garbage, quick
from hypothesis import given, settings
from hypothesis import strategies as st
from small import small_run

from wfclip.data.dataset import load_dataset
from wfclip.data.layer import Layer, StructureError
from wfclip.data.structure import read_layer, read_layers
from wfclip.predict import Predictor

SAMPLES = {"x.cif": CIF, "x.extxyz": XYZ, "POSCAR": POSCAR, "x.dat": XYZ, "x.db": b""}


@pytest.mark.parametrize("name", SAMPLES)
@quick
@given(st.data())
def test_structures(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data.draw(garbage | damaged(SAMPLES[name])))
    with warnings.catch_warnings(action="ignore"):
        assert all(isinstance(found, (Layer, StructureError)) for found in read_layers(path))
        try: assert isinstance(read_layer(path), Layer)
        except StructureError as error: assert str(error).startswith(str(path)) and "\n" not in str(error)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("fuzz"))


def refuses(read, path, content: bytes):
    "Bytes that are no longer the file they were: read all the same, or refused in one line"
    path.write_bytes(content)
    try: read()
    except ValueError as error: assert str(error) and "\n" not in str(error)


@quick
@given(st.data())
def test_datasets(run, tmp_path, data):
    good = (run.parent / "small.safetensors").read_bytes()
    path, start = tmp_path / "x.safetensors", damaged(good[:2000]).map(lambda start: start + good[2000:])
    refuses(lambda: load_dataset(path), path, data.draw(garbage | start))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "bank.safetensors"])
def test_runs(run, tmp_path, name):
    good, path = (run / name).read_bytes(), tmp_path / name
    for other in ("config.json", "model.safetensors", "bank.safetensors"): (tmp_path / other).symlink_to(run / other)
    path.unlink()

    @settings(quick, max_examples=15)
    @given(garbage | st.integers(0, len(good) - 1).map(lambda n: good[:n]))
    def check(content): refuses(lambda: Predictor.from_pretrained(tmp_path, "cpu"), path, content)
    check()
