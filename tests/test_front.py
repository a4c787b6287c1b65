"""The first page says what was measured, agrees with the model card, and reads well elsewhere too."""
import json
import re
from importlib.metadata import Distribution

import numpy as np
from packaging.metadata import Metadata
from project import ROOT, code_cells

from wfclip.data.dataset import load_dataset

README = (ROOT / "README.md").read_text(encoding="utf-8")


def stored(name: str) -> dict:
    "A file of results"
    return json.loads((ROOT / f"nbs/results/{name}.json").read_text(encoding="utf-8"))


def shown(name: str) -> str:
    "What the cells of a page show, as text"
    outputs = [o for cell in code_cells(ROOT / f"nbs/{name}.ipynb") for o in cell["outputs"]]
    return "\n".join("".join(o.get("data", {}).get("text/markdown", o.get("text", ""))) for o in outputs)


def with_spread(found: dict) -> str:
    "A mean absolute error and the scatter of its folds"
    return f"{found['MAE']:.3f} ± {np.std(found['folds'], ddof=1):.3f}"


def row(title: str, text: str = README) -> list[str]:
    "The cells of a row of a table, by a part of its first one"
    line, = (line for line in text.splitlines() if line.startswith("|") and title in line.split("|")[1])
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_the_first_page_has_the_stored_numbers():
    shipped, teacher = stored("weights"), stored("teacher")
    kinds = [shipped["formula"], shipped["prototype"]]
    assert row("**wfclip**") == [with_spread(k["errors"]["work_function"]) for k in kinds]
    assert row("random forest") == [with_spread(k["forest"]) for k in kinds]
    assert row("universal potential") == [with_spread(teacher[k]) for k in ("composition", "prototype")]
    assert row("R@1") == [f"{np.mean([x['R@1'] for x in k['retrieval']]):.0%}" for k in kinds]
    published = stored("paper-formula-42")["evaluation"]["errors"]["work_function"]
    assert row("published method, trained by us") == [f"{min(published[m]['MAE'] for m in ('kernel ridge', 'linear probe', 'retrieval')):.3f}", ""]


def test_the_model_card_says_the_same():
    card = shown("17_model_card")
    (ours, _), (forest, _) = row("**wfclip**"), row("random forest")
    assert f"MAE {ours} eV" in card and f"| {forest[:5]} eV" in card
    assert f"own profile first in {row('R@1')[0]}" in card


def test_the_number_of_materials_is_that_of_the_data():
    n = f"{len(load_dataset()):,}"
    assert set(re.findall(r"\b1,\d{3}(?= (?:mono)?layers| of them| materials| monolayers)", README)) == {n}


def test_the_answer_of_the_first_page_has_five_lines():
    answer, = re.findall(r"```sh\nwfclip predict BiTeBr\.cif\n```\n\n```text\n(.*?)\n```", README, re.S)
    assert len(answer.splitlines()) == 5 and max(map(len, answer.splitlines())) <= 96 and "nearest known" in answer


def test_links_lead_somewhere_where_the_package_is_published(wheel, tmp_path):
    from zipfile import ZipFile
    ZipFile(wheel).extractall(tmp_path)
    metadata = Distribution.at(next(tmp_path.glob("wfclip-*.dist-info")))
    text = Metadata.from_email(metadata.read_text("METADATA") or "").description or ""
    targets = re.findall(r"\]\(([^)\s]+)|(?:src|href)=\"([^\"]+)", text)
    assert targets and all(re.match(r"https?://|#", a or b) for a, b in targets)
