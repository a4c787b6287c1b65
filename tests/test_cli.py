"""Exit codes and messages of the command `wfclip`, most of them in a fresh process."""
import csv
import json
import os
import shutil
import subprocess
import sys

import pytest
from project import ROOT, python
from small import small_run

from wfclip.cli import main

FILES = ROOT / "tests/files"
HEAVY = ("torch", "ase", "pymatgen", "matplotlib", "e3nn", "numpy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "A folder with a run and some structure files, good and bad"
    folder = tmp_path_factory.mktemp("cli")
    small_run(folder)
    for name in ("WSSe.cif", "graphene.cif", "WSSe.extxyz"): shutil.copy(FILES / name, folder)
    text = (FILES / "WSSe.cif").read_text(encoding="utf-8")
    (folder / "broken.cif").write_text(text[:len(text) // 2], encoding="utf-8")
    (folder / "bulk.cif").write_text(text.replace("18.25", "6.5"), encoding="utf-8")
    return folder


def fresh(line: str, cwd, **options) -> tuple[int, str, list[str]]:
    "Exit code, stdout and lines of stderr of a command in a process of its own; each line there is one of ours"
    done = subprocess.run([sys.executable, "-m", "wfclip", *line.split()], cwd=cwd, text=True,
                          **dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE) | options)
    said = done.stderr.splitlines()
    assert all(text.startswith("wfclip: ") for text in said), done.stderr
    return done.returncode, done.stdout, said


@pytest.mark.parametrize("line, reason", {
    "predict WSSe.cif --model elsewhere": "elsewhere: no config.json there",
    "predict WSSe.cif --model run --device gpu": "no device gpu",
    "train --resume --out nothing": "nothing: no config.json there",
    "train --data small.safetensors --batch-size 1": "at least 2 pairs",
    "fly": "invalid choice: 'fly'",
}.items())
def test_a_mistake_is_answered_by_one_sentence(folder, line, reason):
    code, out, (said,) = fresh(line, folder)
    assert code == 2 and out == "" and reason in said
    assert not (folder / "runs").exists()


def test_a_good_file_among_bad_ones(folder):
    code, out, said = fresh("predict nothing.cif WSSe.cif bulk.cif graphene.cif --model run --json", folder)
    assert code == 1 and len(said) == 3 and "2 of 4" in said[2]
    results = json.loads(out)
    assert [r["source"] for r in results] == ["nothing.cif", "WSSe.cif", "bulk.cif", "graphene.cif"]
    assert [r["error"] is None for r in results] == [False, True, False, True]
    assert [r["work_function"] is None for r in results] == [True, False, True, False]


def test_a_reader_that_leaves(folder):
    read, write = os.pipe()
    os.close(read)
    assert fresh("predict WSSe.extxyz --model run", folder, stdout=write) == (141, None, [])
    os.close(write)


def test_help_is_fast():
    code = f"import sys; from wfclip.cli import main; main(['train', '--help']); print({{*{HEAVY}}} & {{*sys.modules}})"
    assert python("-c", code).splitlines()[-1] == "set()"


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("line, reason", {
    "predict": "FILE",
    "predict WSSe.cif --model run --coverage 90": "between 0 and 1",
    "predict WSSe.cif --model WSSe.cif": "no config.json",
    "predict WSSe.cif --model run --method oracle": "invalid choice: 'oracle'",
    "predict . --model run/last": "no config.json",
    "evaluate nowhere": "nowhere: no config.json",
    "evaluate run --data dft3d": "no such dataset file",
    "evaluate run --data run/model.safetensors": "not a dataset",
    "evaluate run --device cuda:99": "no device cuda:99",
    "train --epochs 0": "at least 1",
    "train --epochs 1.5": "invalid int value",
    "train --lr 0": "must be positive",
    "train --lr nan": "must be positive",
    "train --seed 4294967296": "not a whole number",
    "train --split alphabet": "invalid choice: 'alphabet'",
    "train --data WSSe.cif": "a structure, not a dataset file",
    "train --data small.safetensors --out run": "holds a run already",
    "train --data small.safetensors --out WSSe.cif/run": "Not a directory",
    "train --resume --out run --epochs 7 --lr 1": "cannot change epochs, lr",
    "train --resume --out run --preset paper": "cannot change preset",
}.items())
def test_more_mistakes(here, capsys, line, reason):
    assert main(line.split()) == 2
    out, said = capsys.readouterr()
    assert out == "" and reason in said and said.startswith("wfclip: ") and said.count("\n") == 1


def test_bad_files(here, capsys):
    assert main("predict nothing.cif broken.cif bulk.cif --model run".split()) == 2
    out, said = capsys.readouterr()
    assert out == ""
    for name, reason, text in zip(("nothing", "broken", "bulk"), ("no such file", "no structure", "no vacuum"),
                                  said.splitlines()):
        assert text.startswith(f"wfclip: {name}.cif: ") and reason in text
    assert "3 of 3" in said.splitlines()[3]


def test_an_unfinished_run(here, capsys, tmp_path):
    shutil.copytree("run", tmp_path / "run")
    (tmp_path / "run/bank.safetensors").unlink()
    assert main(["predict", "WSSe.cif", "--model", str(tmp_path / "run")]) == 2
    assert "did the run finish" in capsys.readouterr().err
    assert main(["train", "--resume", "--out", str(tmp_path / "run")]) == 0
    assert main(["predict", "WSSe.cif", "--model", str(tmp_path / "run")]) == 0


def test_files_folders_and_formats_agree(here, capsys):
    def results(*names):
        assert main(["predict", *names, "--model", "run", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        return [(r["id"], round(r["phi_top"], 3), round(r["phi_bottom"], 3)) for r in found]
    (here / "good").mkdir()
    for name in ("WSSe.cif", "WSSe.extxyz"): shutil.copy(name, "good")
    assert results("good") == results("good/*") == results("WSSe.cif", "WSSe.extxyz")
    assert len(set(results("good"))) == 1


def test_evaluate(here, capsys):
    assert main(["evaluate", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((here / "run/evaluation.json").read_text(encoding="utf-8"))
    assert {"parity.png", "ranks.png"} <= {p.name for p in (here / "run").iterdir()}
    assert not list((here / "run").glob(".*"))


def test_a_folder_with_three_broken_files(here, capsys, tmp_path):
    for k in range(57): shutil.copy("WSSe.cif", tmp_path / f"good{k:02}.cif")
    (tmp_path / "half.cif").write_text((tmp_path / "good00.cif").read_text(encoding="utf-8")[:300], encoding="utf-8")
    (tmp_path / "empty.cif").touch()
    (tmp_path / "noise.vasp").write_bytes(bytes(range(256)) * 9)
    for form in ("--json", "--csv"):
        assert main(["predict", str(tmp_path), "--model", "run", form]) == 1
        out, said = capsys.readouterr()
        rows = json.loads(out) if form == "--json" else list(csv.DictReader(out.splitlines()))
        assert len(rows) == 60 and sum(bool(r["error"]) for r in rows) == 3
        assert {r["formula"] for r in rows if not r["error"]} == {"WSSe"}
        assert len(said.splitlines()) == 4 and "3 of 60" in said


def test_embed_and_search_with_a_model_of_ones_own(here, capsys):
    assert main("embed WSSe.cif graphene.cif broken.cif -o own.safetensors --model run".split()) == 1
    assert "2 crystal embeddings, 1 could not be read" in capsys.readouterr().out
    assert main("search --like graphene.cif --index own.safetensors --model run --json".split()) == 0
    found = json.loads(capsys.readouterr().out)["candidates"]
    assert [c["formula"] for c in found] == ["C", "WSSe"] and found[0]["same"]
    assert main("search --like graphene.cif --index own.safetensors".split()) == 2
    assert "made with another model" in capsys.readouterr().err
