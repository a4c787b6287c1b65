"""What each correction of the published method is worth: our preset with one of them taken back at a time.

    python benchmarks/ablation.py FOLDER [--epochs 30] [--members 2] [--workers 2]      # nbs/results/ablation/switches.json

All train on the bundled data, split by formula (seed 42: no composition in two parts), from the same random starts, with profiles
of 64 samples, 0.4 Å apart, which are quicker. FOLDER keeps the runs, so that the command can be stopped and started again.

Each run is judged on the test part: the work function by the property heads and by kernel ridge regression on the crystal
features, the signed step, recall@1 in both directions. Then three questions that no test error answers, on a hundred test layers:
by how much does the predicted work function change if the cell is written down four times (a supercell of 2 x 2 cells), if its
in-plane vectors are chosen differently, and if each atom is moved at random by 0.001 Å? Runs without property heads answer by
kernel ridge regression.
"""
import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from wfclip.bank import Bank, predict_energies, read_bank
from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import WorkFunctionDataset, load_dataset
from wfclip.data.graph import GraphStore, flat_graphs
from wfclip.data.layer import Layer
from wfclip.encode import encode, graph_options
from wfclip.evaluate import evaluate
from wfclip.files import write_json
from wfclip.nn.clip import WFClip
from wfclip.train import read_run, train

RESULT = Path(__file__).resolve().parents[1] / "nbs/results/ablation/switches.json"
SHORT = dict(profile_length=64, profile_spacing=0.4)
CHANGES: dict[str, dict] = {
    "ours": {}, "descriptors": dict(descriptors=False), "all_images": dict(all_images=False),
    "smooth_cutoff": dict(smooth_cutoff=False), "periodic_attention": dict(periodic_attention=False),
    "vectors": dict(vectors=False), "pooling": dict(pooling="sum"), "smooth_geometry": dict(smooth_geometry=False),
    "flip": dict(flip=False), "joint": dict(joint=False)}


def train_one(run: Path, name: str, training: TrainConfig) -> None:
    "Train a variant, or go on with it."
    torch.set_num_threads(1)
    config, begun = WFClipConfig(**SHORT, **CHANGES[name]), (run / "config.json").exists()
    train(config, load_dataset(), run, training, resume=begun, progress=False)


def supercell(layer: Layer) -> Layer:
    "2 x 2 cells in one."
    return layer.repeat(2, 2)


def sheared(layer: Layer) -> Layer:
    "The same crystal with the in-plane vectors a and a + b."
    return Layer(layer.numbers, layer.positions, layer.cell + np.array([[0, 0, 0], layer.cell[0], [0, 0, 0]]), layer.id)


def moved(layer: Layer, seed: int = 0) -> Layer:
    "Each atom moved at random, 0.001 Å in the root mean square of each coordinate."
    shift = 1e-3 * np.random.default_rng(seed).standard_normal(layer.positions.shape)
    return Layer(layer.numbers, layer.positions + shift, layer.cell, layer.id)


def work_functions(model: WFClip, bank: Bank, layers: list[Layer]) -> np.ndarray:
    "Predicted work functions, eV."
    found = encode([model], GraphStore(flat_graphs(layers, **graph_options([model]))))
    method = "head" if found.properties else "kernel"
    return predict_energies(found, bank, method)[0]["work_function"].numpy()


def answers(run: Path, data: WorkFunctionDataset) -> dict:
    "Errors on the test part, and changes under what should change nothing, eV."
    config, training, split = read_run(run, data)
    model, bank = WFClip.from_pretrained(run), read_bank(run / "bank.safetensors")
    result = evaluate(model, data, split)
    errors, r = result["errors"], result["retrieval"]
    mae = lambda target, name: errors.get(target, {}).get(name, {}).get("MAE")
    layers = [data.layer(i) for i in split.test[:100]]
    before, change = work_functions(model, bank, layers), {}
    for name, other in dict(supercell=supercell, sheared=sheared, moved=moved).items():
        difference = np.abs(work_functions(model, bank, [other(layer) for layer in layers]) - before)
        change[name] = dict(mean=float(difference.mean()), largest=float(difference.max()))
    return dict(member=training.member, head=mae("work_function", "joint head"), kernel=mae("work_function", "kernel ridge"),
                step=mae("step", "joint head"), retrieval=mae("work_function", "retrieval"),
                forest=mae("work_function", "composition, random forest"),
                recall=(r["crystal_to_profile"]["R@1"] + r["profile_to_crystal"]["R@1"]) / 2, change=change)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the runs")
    parser.add_argument("--epochs", type=int, default=30, metavar="N", help="of each run; default 30")
    parser.add_argument("--members", type=int, default=2, metavar="N", help="random starts of each variant; default 2")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="trainings at a time, one thread each; default 2")
    args = parser.parse_args()
    training = lambda k: TrainConfig(epochs=args.epochs, lr=5e-4, start="random", member=k)
    runs = {(name, k): args.folder / f"{name}-{k}" for k in range(args.members) for name in CHANGES}
    with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        todo = [(run, *key) for key, run in runs.items() if not (run / "bank.safetensors").exists()]
        for done in [pool.submit(train_one, run, name, training(k)) for run, name, k in todo]: done.result()
    data, results = load_dataset(), {}
    for (name, _), run in runs.items():
        results.setdefault(name, []).append(answers(run, data))
        print(run.name, json.dumps(results[name][-1]), flush=True)
    about = vars(training(0)) | dict(members=args.members, layers=100, test=len(data.split("formula", 42).test))
    write_json(RESULT, dict(about=about, variants=results))


if __name__ == "__main__": main()
