"""Try a recipe on the validation parts of two folds, and note what came of it.

    python benchmarks/recipe.py [--taught FOLDER] [--name TEXT] [FIELD=VALUE ...]

FIELD is one of TrainConfig or WFClipConfig: python benchmarks/recipe.py lr=3e-4 epochs=50 contrast=False.
The lowest validation loss decides the epoch, as in any run; the work function's MAE there, on the validation parts of
folds 1 and 2 by composition, is added to nbs/results/search.json. The left-out folds are not looked at.
"""
import argparse
import json
from dataclasses import fields
from pathlib import Path

import torch

from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import load_dataset
from wfclip.nn.clip import read_taught
from wfclip.train import Trainer, _draw_split, run_epoch

OUT = Path(__file__).parent.parent / "nbs/results/search.json"


def validation_error(config: WFClipConfig, training: TrainConfig, taught: Path | None) -> float:
    "MAE of the work function on the validation part, at the epoch of lowest validation loss"
    data = load_dataset()
    trainer = Trainer(config, training, data, _draw_split(training, data), torch.device("cpu"))
    if training.start == "taught": trainer.model.crystal.load_state_dict(read_taught(taught).state_dict())
    return min((run_epoch(trainer) for _ in range(training.epochs)), key=lambda r: r["val_loss"])["val_mae"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--taught", type=Path, help="folder of a taught tower; the package's own if none is given")
    parser.add_argument("--name", default="the package's", help="of the taught tower, in the table")
    parser.add_argument("changed", nargs="*", metavar="FIELD=VALUE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    changed = {k: json.loads(v.lower() if v in ("True", "False") else v) for k, v in (c.split("=") for c in args.changed)}
    of = lambda cls: {k: v for k, v in changed.items() if k in {f.name for f in fields(cls)}}
    val = [validation_error(WFClipConfig(**of(WFClipConfig)), TrainConfig(**dict(split="formula", fold=k) | of(TrainConfig)), args.taught) for k in (1, 2)]
    trials = json.loads(OUT.read_text(encoding="utf-8"))["trials"] if OUT.exists() else []
    trials.append(dict(taught=args.name, changed=", ".join(args.changed) or "nothing", val=[round(v, 4) for v in val]))
    OUT.write_text(json.dumps(dict(trials=trials), indent=1) + "\n", encoding="utf-8")
    print(trials[-1])


if __name__ == "__main__": main()
