"""Train the model that ships with the package and pack it into wfclip/weights.

    python tools/build_weights.py WORK [--members 4] [--epochs 80] [--workers 1] [--seed 42] [--compare]

WORK keeps the runs of the members, so that the command can be stopped and started again: finished members are not
trained twice. The members share one formula split (seed 42) and differ in their random start; the first one learns the
shared embedding and the properties, the others the properties alone. The package gets the
first as the model of the embedding space, the crystal towers of the others, all in float16, the bank of the training
materials with its calibration on the validation part, both made with the rounded weights, and an index of all bundled
materials. The evaluation on the test part goes to nbs/results/weights.json, for the model card. With --compare the
ensemble is only evaluated, for nbs/results/ensemble-SEED.json, and nothing packed.
"""
import argparse
import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import torch
from collect_results import BULKY, RESULTS, rounded

from wfclip.bank import build_bank, write_bank
from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import WorkFunctionDataset, load_dataset
from wfclip.evaluate import evaluate, evaluation_table
from wfclip.files import WEIGHTS
from wfclip.index import index_dataset
from wfclip.nn.clip import CrystalTower, WFClip, read_config
from wfclip.predict import Predictor
from wfclip.train import read_run, train

RECIPE: dict = dict(split="formula", lr=3e-4)


def train_member(run: Path, threads: int, member: int, **recipe) -> None:
    "Train a member, or go on with it; all but the first without the contrastive part, which they do not need"
    torch.set_num_threads(threads)
    training = TrainConfig(**RECIPE, **recipe, member=member)
    train(WFClipConfig(contrast=member == 0), load_dataset(), run, training, resume=(run / "config.json").exists())


def train_members(runs: list[Path], workers: int, **recipe) -> None:
    "Train what is not finished, `workers` at a time"
    threads = max(1, (os.cpu_count() or 1) // workers)
    todo = [(run, k) for k, run in enumerate(runs) if not (run / "bank.safetensors").exists()]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for done in [pool.submit(train_member, run, threads, k, **recipe) for run, k in todo]: done.result()


def pack(runs: list[Path], data: WorkFunctionDataset) -> None:
    "Write wfclip/weights from finished runs"
    _, training, split = read_run(runs[0], data)
    members = [f"member-{k}" for k in range(1, len(runs))]
    about = read_config(runs[0])["data"]
    about.pop("path")
    shutil.rmtree(WEIGHTS, ignore_errors=True)
    more = dict(members=members, data=about, split=split.to_dict(data.ids))
    WFClip.from_pretrained(runs[0]).save_pretrained(WEIGHTS, half=True, **more)
    for name, run in zip(members, runs[1:]):
        whole, tower = WFClip.from_pretrained(run), CrystalTower(WFClip.from_pretrained(run).config)
        tower.load_state_dict({k: t for k, t in whole.state_dict().items() if k in tower.state_dict()})
        tower.save_pretrained(WEIGHTS / name, half=True)
    model, towers = WFClip.from_pretrained(), [CrystalTower.from_pretrained(WEIGHTS / m) for m in members]
    write_bank(build_bank(model, data, split, towers), WEIGHTS / "bank.safetensors", half=True)
    index_dataset(data, WEIGHTS / "index.safetensors", Predictor.from_pretrained(None, "cpu"))
    result = evaluate(model, data, split, towers)
    print(evaluation_table(result))
    about = dict(members=len(runs), training=vars(training), versions={p: version(p) for p in ("wfclip", "torch", "numpy")})
    (RESULTS / "weights.json").write_text(json.dumps(about | dict(evaluation=rounded(result))) + "\n")


def compare(runs: list[Path], data: WorkFunctionDataset) -> None:
    "Evaluate an ensemble that is not shipped"
    model, *towers = (WFClip.from_pretrained(run) for run in runs)
    _, training, split = read_run(runs[0], data)
    result = evaluate(model, data, split, towers)
    print(evaluation_table(result))
    kept = {k: v for k, v in result.items() if k not in BULKY}
    (RESULTS / f"ensemble-{training.seed}.json").write_text(json.dumps(dict(members=len(runs), evaluation=rounded(kept))) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for the runs")
    parser.add_argument("--members", type=int, default=4, help="models in the ensemble")
    parser.add_argument("--epochs", type=int, default=80, help="of each")
    parser.add_argument("--workers", type=int, default=1, help="trainings at a time")
    parser.add_argument("--seed", type=int, default=42, help="of the split")
    parser.add_argument("--compare", action="store_true", help="evaluate only")
    args = parser.parse_args()
    runs = [args.work / f"member-{k}" for k in range(args.members)]
    train_members(runs, args.workers, seed=args.seed, epochs=args.epochs)
    (compare if args.compare else pack)(runs, load_dataset())
