"""What each teacher's lessons are worth to the work function, as far as a small teaching tells.

    python benchmarks/teachers.py NAME LESSONS.npz[+LESSONS.npz] ... [--first N]

A tower is taught for ten epochs by these lessons; A.npz+B.npz puts the features of two teachers of the same layers side
by side. Then the heads are trained from it for 25 epochs on folds 1 to 3 by composition. The work function's MAE on the
validation parts, at the epoch of lowest validation loss, is added to nbs/results/teachers.json. NAME alone, without
lessons, begins with random weights. The left-out folds are not looked at.
"""
import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from recipe import validation_error
from wfclip.config import TrainConfig, WFClipConfig
from wfclip.teach import Lessons, TeachConfig, read_lessons, teach

OUT = Path(__file__).parent.parent / "nbs/results/teachers.json"


def read_all(paths: list[str]) -> Lessons:
    "The lessons of several files, each of one teacher or of several side by side"
    parts = [[read_lessons(p) for p in path.split("+")] for path in paths]
    layers = [layer for part in parts for layer in part[0].layers]
    return Lessons(layers, np.concatenate([np.hstack([lessons.features for lessons in part]) for part in parts]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("lessons", nargs="*")
    parser.add_argument("--first", type=int, help="so many first lessons give the unit of each feature")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        known = None
        if args.lessons:
            known = teach(WFClipConfig(), read_all(args.lessons), folder, TeachConfig(epochs=10, first=args.first), progress=False)[-1]["R2"]
        start = "taught" if args.lessons else "random"
        val = [validation_error(WFClipConfig(contrast=False), TrainConfig(epochs=25, split="formula", fold=k, start=start), Path(folder))
               for k in (1, 2, 3)]
    trials = json.loads(OUT.read_text())["trials"] if OUT.exists() else []
    trials.append(dict(name=args.name, R2=known, val=[round(v, 4) for v in val]))
    OUT.write_text(json.dumps(dict(trials=trials), indent=1) + "\n")
    print(trials[-1])


if __name__ == "__main__": main()
