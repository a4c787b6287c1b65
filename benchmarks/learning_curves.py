"""How the work function's error falls with the number of training materials, with and without teaching.

    python benchmarks/learning_curves.py WORK [--epochs 30] [--fractions 0.1 0.25 0.5 1] [--seeds 1 2 3]

Trains the heads alone, from the taught tower and from random weights, on shares of the training part of splits by
composition, one split a seed, and writes the error of the model of lowest validation loss on the test part to
nbs/results/curves.json. WORK keeps the runs; a finished one is not trained twice.
"""
import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np
import torch

from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import load_dataset
from wfclip.encode import encode, graph_options
from wfclip.nn.clip import WFClip
from wfclip.train import read_run, train

OUT = Path(__file__).parent.parent / "nbs/results/curves.json"


def error(run: Path, data) -> dict:
    "What a finished run is worth"
    _, training, split = read_run(run, data)
    model = WFClip.from_pretrained(run)
    said = encode([model], data.graphs(**graph_options([model])), split.test).properties["work_function"].numpy()
    off = np.abs(said - data.properties["work_function"][split.test])
    return dict(start=training.start, fraction=training.fraction, seed=training.seed, train=len(split.train), test=len(split.test), MAE=float(off.mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--fractions", type=float, nargs="+", default=[.1, .25, .5, 1.])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    args = parser.parse_args()
    torch.set_num_threads(1)
    data, runs = load_dataset(), []
    for seed, fraction, start in product(args.seeds, args.fractions, ("taught", "random")):
        run = args.work / f"{start}-{fraction}-{seed}"
        training = TrainConfig(epochs=args.epochs, split="formula", seed=seed, fraction=fraction, start=start)
        if not (run / "bank.safetensors").exists():
            train(WFClipConfig(contrast=False), data, run, training, resume=(run / "config.json").exists(), progress=False)
        runs.append(error(run, data))
        print(runs[-1], flush=True)
    OUT.write_text(json.dumps(dict(epochs=args.epochs, runs=runs)) + "\n", encoding="utf-8")


if __name__ == "__main__": main()
