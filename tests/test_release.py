"""What a release needs: one version everywhere, a package that a registry accepts, types that a checker reads, a recipe that fits."""
import re
from configparser import ConfigParser
from zipfile import ZipFile

import pytest
import yaml
from project import ROOT, python

SETTINGS = ConfigParser(delimiters=["="])
SETTINGS.read(ROOT / "settings.ini", encoding="utf-8")
ABOUT = SETTINGS["DEFAULT"]
CONDA = {"torch": "pytorch", "torch-geometric": "pytorch_geometric", "matplotlib": "matplotlib-base", "xxhash": "python-xxhash"}
SCRIPT = '''
from wfclip import Predictor, WFClipFeaturizer, read_layer
from wfclip.search import search

layer = read_layer("a.cif")
thickness: float = layer.thickness
top: float | None = Predictor.from_pretrained().predict(layer).phi_top
names: list[str] = [c.formula for c in search(work_function=(4.4, 4.6))]
WFClipFeaturizer(energies=False).fit([layer])
wrong: int = layer.formula
'''


def test_one_version():
    version = ABOUT["version"]
    import wfclip
    assert wfclip.__version__ == version
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((ROOT / "tools/conda/recipe.yaml").read_text(encoding="utf-8"))
    assert citation["version"] == recipe["context"]["version"] == version
    sections = re.findall(r"(?m)^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert version in sections[:2]


def test_the_recipe_asks_for_what_the_package_asks_for():
    recipe = yaml.safe_load((ROOT / "tools/conda/recipe.yaml").read_text(encoding="utf-8"))
    wanted = {re.split("[<>=]", r)[0]: re.search("[<>=].*", r)[0] for r in ABOUT["requirements"].split()}
    stated = dict(r.split(maxsplit=1) for r in recipe["requirements"]["run"])
    assert stated.pop("python") == f">={ABOUT['min_python']}"
    assert stated == {CONDA.get(name, name): bound for name, bound in wanted.items()}


def test_the_distributions_pass_twine(wheel):
    pytest.importorskip("twine")
    said = python("-m", "twine", "check", "--strict", *sorted(wheel.parent.iterdir()))
    assert said.count("PASSED") == 2


def test_types_of_a_users_script_are_checked(wheel, tmp_path):
    pytest.importorskip("mypy")
    ZipFile(wheel).extractall(tmp_path / "site")
    assert (tmp_path / "site/wfclip/py.typed").exists()
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    unread = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n" for name in ("torch", "torch_geometric", "e3nn", "sklearn", "matplotlib"))
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nfollow_imports = silent\nignore_missing_imports = True\n{unread}", encoding="utf-8")
    run = "import sys; from mypy import api; out, err, code = api.run(sys.argv[1:]); print(out, err)"
    said = python("-c", run, "script.py", "--no-incremental", cwd=tmp_path, MYPYPATH=str(tmp_path / "site"))
    errors = [line for line in said.splitlines() if ": error:" in line]
    where = f"script.py:{SCRIPT[:SCRIPT.index('wrong')].count(chr(10)) + 1}"
    assert len(errors) == 1 and where in errors[0] and '"str"' in errors[0] and '"int"' in errors[0], said
