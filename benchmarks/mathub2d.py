"""Compare runs on the MatHub-2d pairs, which are not part of this project; nbs/18_mathub2d.ipynb shows what this writes.

    wfclip data build pairs.db -o mathub.safetensors --functional PBE --tolerance 0   # structures, profiles, published split
    python benchmarks/mathub2d.py raw pairs.db mathub.safetensors raw.safetensors   # the same with profiles as published
    wfclip train --data mathub.safetensors --split given --epochs 80 --lr 3e-4 --out RUN
    python benchmarks/mathub2d.py data pairs.db mathub.safetensors              # nbs/results/mathub/data.json
    python benchmarks/mathub2d.py run pairs.db RUN                              # nbs/results/mathub/PRESET-PROFILE-MEMBER.json
    python benchmarks/mathub2d.py compare RUN RUN_ON_RAW                        # nbs/results/mathub/compare_PRESET.json
    python benchmarks/mathub2d.py shipped pairs.db mathub.safetensors           # nbs/results/mathub/shipped.json

With `--start` PRESET is pretrained. `pairs.jsonl.gz`, which tells metals from insulators, and `labels_split_1899.csv` are
expected beside pairs.db. What is written are figures of many materials together: no structure, no profile and no label of a
single one.
"""
import csv
import gzip
import json
import re
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers

from wfclip.bank import METHODS, predict_energies, read_bank
from wfclip.config import RECIPES, TrainConfig
from wfclip.data.check import potential_warnings
from wfclip.data.dataset import PARTS, Split, WorkFunctionDataset, load_dataset
from wfclip.data.format import Entry, write_dataset
from wfclip.data.layer import Layer
from wfclip.data.profile import ProfileError, open_cell, plateaus
from wfclip.data.readers import row_potential
from wfclip.encode import encode, encode_profiles, graph_options
from wfclip.evaluate import baselines, error_metrics, evaluate, retrieval_result
from wfclip.files import WEIGHTS
from wfclip.nn.clip import CrystalTower, WFClip, read_config
from wfclip.regress import fit_kernel, fit_probe
from wfclip.train import read_metrics, read_run

RESULTS = Path(__file__).resolve().parents[1] / "nbs/results/mathub"
FOREST = "composition, random forest"
LIMIT = 0.05  # eV; two readings of a work function that differ by less agree
BAD = ("MIP2D-656", "MIP2D-1725", "MIP2D-1048")  # rows known to be wrong


def read_rows(pairs: str) -> list[dict]:
    "The rows of pairs.db with the band gap of the matched structure: keys, atoms, potential."
    from ase.db import connect
    with gzip.open(Path(pairs).with_suffix(".jsonl.gz"), "rt") as f:
        gap = {r["mip2d_id"]: r["c2db_gap_eV"] for r in map(json.loads, f)}
    rows = []
    for row in connect(pairs).select():
        rows.append(dict(row.key_value_pairs, atoms=row.toatoms(), potential=row_potential(row), gap=gap[row.mip2d_id]))
    return rows


def rows_of(data: WorkFunctionDataset, rows: list[dict]) -> list[dict]:
    "The row of each material of a dataset: by mip2d_id, or by the number behind # in its id; in the order of the dataset."
    by_id = {r["mip2d_id"]: r for r in rows} | {str(k): r for k, r in enumerate(rows, 1)}
    names = [i if i in by_id else i.rpartition("#")[2] for i in data.ids]
    if missing := [i for i, name in zip(data.ids, names) if name not in by_id]:
        raise SystemExit(f"{len(missing)} materials of the dataset, {missing[0]} first, are not in pairs.db.")
    found = [by_id[name] for name in names]
    for i, row in enumerate(found):
        if Counter(data.layer(i).numbers.tolist()) != Counter(row["atoms"].numbers.tolist()):
            raise SystemExit(f"{data.ids[i]} is not {row['mip2d_id']}: other atoms.")
    return found


def rounded(x):
    "All floats of a JSON structure with five digits behind the point."
    if isinstance(x, dict): return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list): return [rounded(v) for v in x]
    return round(float(x), 5) if isinstance(x, (float, np.floating)) else x


def save(name: str, content: dict):
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(rounded(content), allow_nan=False) + "\n", encoding="utf-8")
    print(RESULTS / f"{name}.json")


def write_raw(pairs: str, source: str, out: str):
    "The dataset with profiles measured from the zero of each calculation; the work functions stay."
    data = load_dataset(source)
    entries = []
    for i, row in enumerate(rows_of(data, read_rows(pairs))):
        p = data.profile(i).resample(960, 0.1 / 3)  # longer than any model's grid, whose ends would be filled with the levels
        entries.append(Entry(data.layer(i), replace(p, phi=p.phi + row["efermi_eV"]), part=data.parts[i]))
    about: Any = {k: v for k, v in data.about.items() if k != "format"}
    write_dataset(out, entries, **about | dict(name="mathub-raw"))


def quantiles(x) -> dict:
    return {str(q): float(np.percentile(x, q)) for q in (5, 25, 50, 75, 90, 95, 99, 100)}


def vacuum(rows: list[dict]) -> tuple[list[dict], Counter, Counter]:
    "The outermost window on the worse side of each profile, why profiles were refused, and what the others are warned of."
    worst, refused, warned = [], Counter(), Counter()
    for p in (row["potential"] for row in rows):
        sides = plateaus(*open_cell(p.z, p.v, p.center, p.layer.thickness), max_slope=np.inf)
        worst.append(dict(slope=max(abs(s.slope) for s in sides), std=max(s.std for s in sides)))
        try: doubts = " ".join(potential_warnings(p, p.profile()))
        except ProfileError as error: refused[next(k for k in ("slope", "scatter") if k in str(error))] += 1
        else: warned.update(dict(tail="LVTOT" in doubts, noise="noisy" in doubts))
    return worst, refused, warned


def is_bad(name: str) -> bool:
    "Whether a row is one of those known to be wrong."
    return any(re.match(rf"{b}\b", name) for b in BAD)


def correlations(rows: list[dict]) -> dict:
    "Correlation of the vacuum level and of the Fermi level, from the zero of each calculation, with the work function."
    efermi, wf = (np.array([float(r[k]) for r in rows]) for k in ("efermi_eV", "workfunction_eV"))
    c = lambda x: float(np.corrcoef(x, wf)[0, 1])
    return dict(n=len(wf), vacuum_level=c(wf + efermi), fermi_level=c(efermi))


class Compositions:
    "Rows of which the composition alone is known, from the end of their name, as `baselines` reads a dataset."

    def __init__(self, rows: list[dict]):
        from ase.formula import Formula
        self.symbols = [Formula(r["mip2d_id"].rpartition("-")[2]).count() for r in rows]

    def __len__(self): return len(self.symbols)

    def layer(self, i: int) -> Layer:
        numbers = [atomic_numbers[s] for s, n in self.symbols[i].items() for _ in range(n)]
        return Layer(np.array(numbers), np.zeros((len(numbers), 3)), np.eye(3))


def full_baselines(rows: list[dict]) -> dict:
    "Baselines on the whole published split, without the rows known to be wrong."
    rows = [r for r in rows if not is_bad(r["mip2d_id"])]
    wf, part = np.array([[float(r["workfunction_eV"])] for r in rows]), np.array([r["split"] for r in rows])
    split = Split(*(np.flatnonzero(part == k) for k in PARTS), by="given", seed=42)
    made: Any = baselines(Compositions(rows), split, wf)  # pyright: ignore[reportArgumentType]
    return dict(n=len(split.test), **{k: error_metrics(p[:, 0], wf[split.test, 0])["MAE"] for k, p in made.items()})


def table_2d(x: np.ndarray, y: np.ndarray, bins: int = 24) -> dict:
    counts, xs, ys = np.histogram2d(x, y, bins)
    return dict(counts=counts.astype(int).tolist(), x=xs.tolist(), y=ys.tolist())


def mirrored(layer: Layer) -> bool:
    "Whether the layer upside down has the same elements at the same heights, to 0.1 Å: then its faces should be alike."
    z, up = layer.positions[:, 2], np.lexsort((layer.positions[:, 2], layer.numbers))
    return bool(np.abs(z[up] + z[np.lexsort((-z, layer.numbers))]).max() < .1)


def write_data(pairs: str, source: str):
    "What is in the pairs, what was refused, and how the two readings of a work function differ."
    rows, data = read_rows(pairs), load_dataset(source)
    used, split = rows_of(data, rows), data.split("given")
    worst, refused, warned = vacuum(rows)
    wf, efermi = (np.array([r[k] for r in rows]) for k in ("workfunction_eV", "efermi_eV"))
    published = np.array([r["workfunction_eV"] for r in used])
    ours, step = data.properties["work_function"], np.abs(data.properties["step"])
    differ, alike = np.abs(ours - published), np.array([mirrored(data.layer(i)) for i in range(len(data))])
    with open(Path(pairs).with_name("labels_split_1899.csv"), encoding="utf-8") as f:
        full = list(csv.DictReader(f))
    tiers = {k: Counter(used[i]["tier"] for i in getattr(split, k)) for k in PARTS}
    lost = [r for r in rows if r["mip2d_id"] not in {u["mip2d_id"] for u in used}]
    known = {data.formulas[i] for i in split.train}
    save("data", dict(
        rows=len(rows), used=len(used), refused=refused, warned=warned, lost=Counter(r["split"] for r in lost),
        parts={k: dict(n=len(getattr(split, k)), **tiers[k]) for k in PARTS},
        metals={k: sum(used[i]["gap"] == 0 for i in getattr(split, k)) for k in PARTS},
        leak=float(np.mean([data.formulas[i] in known for i in split.test])),
        bad=sum(is_bad(r["mip2d_id"]) for r in used),
        slope=quantiles([w["slope"] for w in worst]), noise=quantiles([w["std"] for w in worst]),
        differ=dict(n=len(differ), MAE=differ.mean(), above=int((differ > LIMIT).sum()), **quantiles(differ)),
        mirrored=dict(n=int(alike.sum()), above=int((step[alike] > .1).sum()), **quantiles(step[alike])),
        polar=dict(n=int((step[~alike] > .1).sum()), differ=int((differ[~alike & (step > .1)] > LIMIT).sum()),
                   MAE=differ[~alike & (step > .1)].mean()),
        correlation=dict(pairs=correlations(rows), published=correlations(full),
                         without_bad=correlations([r for r in full if not is_bad(r["mip2d_id"])])),
        full=full_baselines(full),
        raw=table_2d(wf + efermi, wf), fermi=table_2d(efermi, wf)))


def subsets(rows: list[dict], ours: np.ndarray) -> dict[str, np.ndarray]:
    "Parts of a list of materials, as masks."
    column = lambda key: np.array([r[key] for r in rows])
    agree = np.abs(ours - column("workfunction_eV")) < LIMIT
    return dict(all=np.full(len(rows), True), tier_A=column("tier") == "A", tier_B=column("tier") == "B", labels_agree=agree,
                metals=column("gap") == 0, insulators=column("gap") > 0)


def errors(predicted: dict[str, np.ndarray], rows: list[dict], ours: np.ndarray) -> dict:
    "Errors by subset, reading of the work function and predictor."
    labels = dict(ours=ours, published=np.array([r["workfunction_eV"] for r in rows]))
    metrics = lambda p, true: error_metrics(p, true) | dict(bias=float((p - true).mean()))
    return {subset: dict(n=int(mask.sum())) | {kind: {name: metrics(p[mask], true[mask]) for name, p in predicted.items()}
                                               for kind, true in labels.items()}
            for subset, mask in subsets(rows, ours).items()}


def twins(profiles: torch.Tensor, ranks: list[float]) -> dict:
    "How many test materials have another with nearly their profile, 0.5 eV in the root mean square or the mirror image."
    d = torch.minimum(torch.cdist(profiles, profiles), torch.cdist(profiles, profiles.flip(1))) / profiles.shape[1]**.5
    twin, missed = (d.fill_diagonal_(torch.inf) < .5).any(1).numpy(), np.array(ranks) > 1
    return dict(twins=int(twin.sum()), missed=int(missed.sum()), both=int((twin & missed).sum()))


def from_profile(embedded: torch.Tensor, wf: np.ndarray, split: Split) -> dict:
    "Error of the work function read from the embedding of a profile, not of a crystal: what the profile tower knows."
    parts = [x for k in (split.train, split.val) for x in (embedded[k], torch.tensor(wf[k])[:, None])]
    fits = {METHODS["kernel"]: fit_kernel, METHODS["probe"]: fit_probe}
    return {name: error_metrics(fit(*parts)(embedded[split.test])[:, 0].numpy(), wf[split.test]) for name, fit in fits.items()}


def new_to_shipped(data: WorkFunctionDataset, split: Split, predicted: dict[str, np.ndarray], true: np.ndarray) -> dict:
    "Errors on the test materials whose composition the model in the package has not seen."
    seen = set(read_bank(WEIGHTS / "bank.safetensors").formulas)
    new = np.array([data.formulas[i] not in seen for i in split.test])
    return dict(n=int(new.sum()), **{k: error_metrics(p[new], true[new]) for k, p in predicted.items() if new.any()})


def command(config: dict, raw: bool) -> str:
    "The command line of a run."
    preset = "wfclip" if config["model"]["joint"] else "paper"
    recipe = RECIPES[preset]()
    changed = {k: v for k, v in asdict(TrainConfig(**config["training"])).items() if v != getattr(recipe, k)}
    options = [f"--{k.replace('_', '-')} {f'{v:g}' if isinstance(v, float) else v}" for k, v in changed.items()]
    named = [] if preset == "wfclip" else [f"--preset {preset}"]
    return " ".join([f"wfclip train --data {'raw' if raw else 'mathub'}.safetensors", *named, *options])


def write_run(pairs: str, run: str):
    "Evaluate a run on the test part and on parts of it."
    folder, config = Path(run), read_config(Path(run))
    data, model = load_dataset(config["data"]["path"]), WFClip.from_pretrained(folder)
    raw, (_, training, split) = config["data"].get("name") == "mathub-raw", read_run(folder, data)
    every = rows_of(data, read_rows(pairs))
    rows = [every[i] for i in split.test]
    result = evaluate(model, data, split)
    ours = data.properties["work_function"][split.test]
    first = lambda table: np.array([row[0] for row in table])
    predicted = {name: first(p) for name, p in result["predicted"].items()}
    profiles = data.profiles(model.config.profile_length, model.config.profile_spacing)
    embedded, profiles = encode_profiles(model, profiles), profiles[split.test]
    p_prof, p_cry = embedded[split.test], encode([model], data.graphs(**graph_options([model])), split.test).p_cry
    retrieval = {k: retrieval_result(p_prof[mask], p_cry[mask])["retrieval"]
                 for k, mask in subsets(rows, ours).items() if k in ("all", "tier_A", "labels_agree")}
    best_way = next(name for name in METHODS.values() if name in predicted)
    worst = np.argsort(-np.abs(predicted[best_way] - ours))[:10]
    records = read_metrics(folder)
    best = min(records, key=lambda r: r["val_loss"])
    absolute = {name: np.percentile(np.abs(p - ours), np.arange(0, 101, 2.5)).tolist() for name, p in predicted.items()}
    kind = "pretrained" if training.start != "random" else "wfclip" if config["model"]["joint"] else "paper"
    save(f"{kind}-{'raw' if raw else 'phi'}-{training.member}", dict(
        command=command(config, raw), seconds=sum(r["seconds"] for r in records), best_epoch=best["epoch"], split=result["split"],
        versions=json.loads((folder / "environment.json").read_text(encoding="utf-8")),
        retrieval=retrieval, ranks={k: sorted(r) for k, r in result["ranks"].items()}, validation=result["validation"],
        errors=errors(predicted, rows, ours), error_quantiles=absolute, step=result["errors"].get("step", {}),
        less_than_forest={k: paired(predicted[FOREST], predicted[k], ours) for k in METHODS.values() if k in predicted},
        from_profile=from_profile(embedded, data.properties["work_function"], split),
        coverage=[r for r in result["coverage"] if r["energy"] == "work_function"],
        new_to_shipped=new_to_shipped(data, split, predicted, np.array([r["workfunction_eV"] for r in rows])),
        twins=twins(profiles, result["ranks"]["crystal_to_profile"]),
        worst_ten_of_tier_B=sum(rows[k]["tier"] == "B" for k in worst),
        curve=[{k: r[k] for k in ("epoch", "train_loss", "val_loss", "recall_at_1")} for r in records]))


def paired(worse: np.ndarray, better: np.ndarray, true: np.ndarray) -> dict:
    "Mean of the difference of two absolute errors and its standard error, material by material."
    d = np.abs(worse - true) - np.abs(better - true)
    return dict(mean=d.mean(), standard_error=d.std(ddof=1) / len(d)**.5)


def write_compare(run: str, run_on_raw: str):
    "A run on phi and one on raw profiles, on the same test materials: differences of errors and ranks, pair by pair."
    results = []
    for folder in map(Path, (run, run_on_raw)):
        config = read_config(folder)
        data = load_dataset(config["data"]["path"])
        results.append(evaluate(WFClip.from_pretrained(folder), data, read_run(folder, data)[2]))
    phi, raw = results
    if phi["ids"] != raw["ids"]: raise SystemExit("the two runs were not tested on the same materials.")
    true = np.array(phi["true"])[:, 0]
    first = lambda r, name: np.array([row[0] for row in r["predicted"][name]])
    differ = {name: paired(first(raw, name), first(phi, name), true) for name in METHODS.values() if name in phi["predicted"]}
    hits = {way: [np.array(r["ranks"][way]) == 1 for r in results] for way in phi["ranks"]}
    alone = {way: dict(phi_only=int((a & ~b).sum()), raw_only=int((b & ~a).sum())) for way, (a, b) in hits.items()}
    save(f"compare_{'wfclip' if 'joint head' in differ else 'paper'}", dict(errors=differ, first=alone))


def write_shipped(pairs: str, source: str):
    "The model in the package, which has seen none of these data, on the test part and on all pairs."
    data = load_dataset(source)
    rows, bank, config = rows_of(data, read_rows(pairs)), read_bank(WEIGHTS / "bank.safetensors"), read_config(WEIGHTS)
    model = WFClip.from_pretrained()
    models = [model, *(CrystalTower.from_pretrained(WEIGHTS / m) for m in config.get("members", []))]
    out: dict = dict(formulas_known=float(np.mean([f in set(bank.formulas) for f in data.formulas])))
    for part, index in dict(test=data.split("given").test, pairs=np.arange(len(data))).items():
        features = encode(models, data.graphs(**graph_options(models)), index)
        e = predict_energies(features, bank, "head")[0]
        predicted = {k.replace("_", " "): e[k].numpy() for k in ("work_function", "ionization_energy", "electron_affinity")}
        others = {f"work function, {METHODS[m]}": predict_energies(features, bank, m)[0]["work_function"].numpy()
                  for m in ("kernel", "retrieval")}
        chosen, ours = [rows[i] for i in index], data.properties["work_function"][index]
        profiles = data.profiles(model.config.profile_length, model.config.profile_spacing)[index]
        out[part] = dict(errors=errors(predicted | others, chosen, ours),
                         retrieval=retrieval_result(encode_profiles(model, profiles), features.p_cry)["retrieval"])
    save("shipped", out)


if __name__ == "__main__":
    commands = dict(raw=write_raw, data=write_data, run=write_run, compare=write_compare, shipped=write_shipped)
    if len(sys.argv) < 4 or sys.argv[1] not in commands: sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
