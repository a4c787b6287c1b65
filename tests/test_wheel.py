"""The wheel, made from the source distribution, holds the data files and works without the repository."""
from pathlib import Path
from zipfile import ZipFile

from project import ROOT, python

DATA = {p.relative_to(ROOT).as_posix() for kind in ("**/*.safetensors", "**/*.csv", "**/*.json", "examples/**/*")
        for p in (ROOT / "wfclip").glob(kind) if p.is_file()}


def test_wheel_holds_package_and_data(wheel):
    names = set(ZipFile(wheel).namelist())
    modules = {p.relative_to(ROOT).as_posix() for p in ROOT.glob("wfclip/**/*.py")}
    assert DATA and DATA | modules <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "nbs", "tools", "benchmarks"))]


def test_wheel_works_alone(wheel, tmp_path):
    site = tmp_path / "site"
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel)
    code = "import wfclip; print(wfclip.__file__); print(len(wfclip.load_dataset('dft2d')))"
    where, size = python("-c", code, cwd=tmp_path, PYTHONPATH=str(site)).split()
    assert Path(where).is_relative_to(site) and int(size) > 100
    code = "from wfclip import *; print(Predictor.from_pretrained().predict(example_path('MoS2.cif')).work_function)"
    assert 4.5 < float(python("-c", code, cwd=tmp_path, PYTHONPATH=str(site))) < 5.5


def test_wheel_is_small(wheel):
    assert wheel.stat().st_size < 80e6
