"""Write the data of the page that explores the bundled materials: python tools/build_explorer.py OUT

OUT/explorer-data.js sets window.WFCLIP_DATA, so that the page also works from a folder, without a server. It holds every
bundled material with its structure, profile and energies, and what the shipped model makes of it: its place on the map
of embeddings, its nearest neighbours there, and the energies as the member predicts them that was trained without its
composition. tools/site/explorer.js reads it.
Columns are lists in the order of the dataset, or pack several numbers of each material into one flat list.
"""
import base64
import csv
import json
import sys
from math import floor, log10
from pathlib import Path

import numpy as np
import torch
from ase.formula import Formula

from wfclip import load_dataset
from wfclip.crossval import read_left_out
from wfclip.data.dataset import WorkFunctionDataset
from wfclip.index import Index
from wfclip.nearest import top_k
from wfclip.nn.elements import element_table
from wfclip.plot import plateau_windows, project

NEIGHBORS = 8
PREDICTED = "phi_top", "phi_bottom", "ionization_energy", "electron_affinity"
COMPUTED = *PREDICTED, "vbm", "cbm", "gap", "fmax"
LEGEND = Path(__file__).parents[1] / "nbs/data/files/prototypes.csv"


def rounded(values, digits: int) -> list:
    "Numbers as short as JSON has them; null where a value is unknown."
    flat = np.round(np.asarray(values, float).ravel(), digits) + 0.0
    return [None if np.isnan(x) else int(x) if x == int(x) else x for x in flat.tolist()]


def packed(values: np.ndarray) -> dict:
    "Numbers as 16-bit integers in base64, little-endian, with the step that makes them numbers again."
    least = float(np.abs(values).max()) / 32767
    unit = 10.0 ** floor(log10(least))
    step = next(round(k * unit, 9) for k in (1, 2, 5, 10) if k * unit >= least)
    return dict(step=step, int16=base64.b64encode(np.round(values / step).astype("<i2").tobytes()).decode())


def structures(data: WorkFunctionDataset) -> dict:
    "Atoms of all materials one after the other, in-plane cell vectors (ax, ay, bx, by) and height of the cell, in Å."
    layers, table = list(data.layers()), element_table()
    used = sorted({z for layer in layers for z in layer.numbers.tolist()})
    return dict(
        symbols=table["symbol"].tolist(), groups=rounded(table["group"], 0), rows=rounded(table["row"], 0),
        blocks="".join(table["block"].tolist()),
        radii={int(z): float(table["covalent_radius"][z - 1]) for z in used},  # Å
        counts=[len(layer) for layer in layers], numbers=[z for layer in layers for z in layer.numbers.tolist()],
        positions=rounded(np.concatenate([layer.positions for layer in layers]), 3),
        cells=rounded(np.stack([layer.cell[:2, :2] for layer in layers]), 3),
        heights=rounded([layer.cell[2, 2] for layer in layers], 3),
        thickness=rounded([layer.thickness for layer in layers], 2))


def profiles(data: WorkFunctionDataset) -> dict:
    "phi(z) of all materials one after the other, in eV; first height, spacing and plateau windows, in Å."
    known = [data.profile(i) for i in range(len(data))]
    return dict(
        lengths=[len(p.phi) for p in known], grids=rounded([(p.z[0], p.z[1] - p.z[0]) for p in known], 5),
        windows=rounded([plateau_windows(p) for p in known], 2), phi=packed(np.concatenate([p.phi for p in known])))


def embedding(ids: list[str]) -> dict:
    "Map and nearest neighbours (rows, best first; cosine similarity) from the shipped index."
    index = Index()
    if [index.text("id", i) for i in range(len(index))] != ids:
        raise ValueError("the shipped index is not of the bundled materials; build the weights again.")
    points, axes = project(index["embeddings"])
    unit = torch.nn.functional.normalize(torch.as_tensor(np.asarray(index["embeddings"], np.float32)), dim=1)
    similarity, rows = top_k(unit, unit, NEIGHBORS + 1)
    others = rows != torch.arange(len(ids))[:, None]
    others[others.all(1), -1] = False                                   # a twin of equal embedding took the own place
    return dict(points=rounded(points, 4), axes=axes, k=NEIGHBORS, neighbors=rows[others].tolist(),
                similarity=rounded(similarity[others].numpy(), 3))


def predictions(data: WorkFunctionDataset) -> dict:
    "What the member of the shipped ensemble predicts that has left the material out, in eV."
    left = read_left_out(data)
    order = np.argsort([data.ids.index(name) for name in left.ids])
    return dict(predicted={k: rounded(left.predicted[k].numpy()[order], 3) for k in PREDICTED})


def legend(data: WorkFunctionDataset) -> dict:
    "What each prototype is, in words, and the material that stands for it, in the order of the legend."
    with LEGEND.open(encoding="utf-8") as file: rows = list(csv.DictReader(file))
    unknown = set(data.prototypes) - {row["prototype"] for row in rows}
    if unknown: raise ValueError(f"{LEGEND}: no line for the prototypes {', '.join(sorted(unknown))}; write one.")
    alike = lambda row: Formula(row["example"]).reduce()[0].count()
    contents = [Formula(formula).count() for formula in data.formulas]
    found = [next(i for i, p in enumerate(data.prototypes) if p == row["prototype"] and contents[i] == alike(row)) for row in rows]
    return dict(names=[row["prototype"] for row in rows], formulas=[row["example"] for row in rows],
                meanings=[row["meaning"] for row in rows], examples=found)


def explorer_data() -> dict:
    "Everything that the page shows."
    data = load_dataset("dft2d")
    prototypes = sorted(set(data.prototypes))
    return dict(
        about=data.about, ids=data.ids, formulas=data.formulas, prototypes=prototypes,
        prototype=[prototypes.index(name) for name in data.prototypes], legend=legend(data),
        computed={k: rounded(data.properties[k], 4) for k in COMPUTED},
        structures=structures(data), profiles=profiles(data), embedding=embedding(data.ids), **predictions(data))


def write_explorer_data(
    out: Path,  # folder, made if it is not there
) -> Path:  # the file
    "Write OUT/explorer-data.js; the same data and weights give the same bytes."
    text = json.dumps(explorer_data(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "explorer-data.js"
    path.write_text(f"window.WFCLIP_DATA={text};\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2: sys.exit("usage: python tools/build_explorer.py OUT")
    path = write_explorer_data(Path(sys.argv[1]))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
