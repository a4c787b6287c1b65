"""Accuracy against wall time: the published method written plainly (benchmarks/reference.py) and our presets, trained alike.

    python benchmarks/convergence.py --epochs 1000 --out FOLDER                      # all three, hours on two cores
    python benchmarks/convergence.py --epochs 1000 --out FOLDER --which wfclip       # one of them

Each trains on the bundled data, split by formula, with its own loop: seconds are those of training and of the validation after
each epoch, not those of what follows. Now and then the embedding is evaluated, by the same functions for all: recall@1 among the
test materials in both directions, and the error of the work function by kernel ridge regression and by a linear probe on the
crystal features, fitted on the training part, their strengths chosen on the validation part. The published method and ours are
measured as they are at that epoch, not at the epoch of lowest validation loss. FOLDER/NAME.json holds the records, and
FOLDER/convergence.png shows all that are there. The same command again continues where it was stopped.
"""
import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from reference import Reference, make_loader, make_optimizer, train_epoch
from torch.nn.functional import normalize

from wfclip.bank import computed_energies, without_faces
from wfclip.config import PRESETS, TrainConfig
from wfclip.data.dataset import PARTS, Split, WorkFunctionDataset, load_dataset
from wfclip.encode import encode, encode_profiles, graph_options
from wfclip.energies import energy_names
from wfclip.evaluate import error_metrics, retrieval_metrics
from wfclip.files import write_atomic, write_json
from wfclip.plot import save_figure
from wfclip.regress import fit_kernel, fit_probe
from wfclip.train import Trainer, load_checkpoint, run_epoch, save_checkpoint

RUNS = {"reference": "reference, float32, L = 448", "paper": "paper preset", "wfclip": "wfclip"}


class Embedded(NamedTuple):
    "What a model makes of some materials."
    z: torch.Tensor  # crystal features [n, D]
    p_cry: torch.Tensor  # crystal embeddings [n, D]
    p_prof: torch.Tensor  # profile embeddings [n, D]
    head: torch.Tensor | None = None  # work function by the property heads [n], eV


class Ours:
    "A preset with the package's own loop."

    def __init__(self, name: str, data: WorkFunctionDataset, split: Split, args: argparse.Namespace):
        training = TrainConfig(epochs=args.epochs, lr=1e-4, split=split.by, seed=args.seed, start="random")
        self.data, self.trainer = data, Trainer(PRESETS[name](), training, data, split, torch.device(args.device))

    @property
    def epoch(self) -> int: return self.trainer.epoch

    def train(self) -> float: return run_epoch(self.trainer)["val_loss"]

    def embed(self, index: np.ndarray) -> Embedded:
        model = self.trainer.model.eval()
        with torch.no_grad(): found = encode([model], self.data.graphs(**graph_options([model])), index)
        phi = self.data.profiles(model.config.profile_length, model.config.profile_spacing)[index]
        return Embedded(found.z, found.p_cry, encode_profiles(model, phi), found.properties.get("work_function"))

    def save(self, folder: Path):
        folder.mkdir(exist_ok=True)
        save_checkpoint(self.trainer, folder)

    def load(self, folder: Path): load_checkpoint(self.trainer, folder)


class Theirs:
    "The reference with a plain loop."

    def __init__(self, data: WorkFunctionDataset, split: Split, args: argparse.Namespace):
        torch.manual_seed(args.seed)
        self.data, self.split, self.seed, self.epoch = data, split, args.seed, 0
        self.model, self.loader = Reference().to(args.device), make_loader(data, split.train, batch_size=64, shuffle=True)
        self.optimizer, self.schedule = make_optimizer(self.model, args.epochs * len(self.loader))

    def train(self) -> float:
        torch.manual_seed(self.seed + self.epoch)  # the order of an epoch is the same after a restart
        train_epoch(self.model, self.loader, self.optimizer, self.schedule)
        self.epoch += 1
        found = self.embed(self.split.val)
        with torch.no_grad(): return float(self.model.loss(found.p_cry, found.p_prof))

    @torch.no_grad()
    def embed(self, index: np.ndarray) -> Embedded:
        model, device, parts = self.model.eval(), next(self.model.parameters()).device, []
        for crystals, profiles in make_loader(self.data, index, batch_size=64):
            z, w = model.crystal(crystals.to(device)), model.profile(profiles.to(device))
            parts.append((z, normalize(model.crystal_head(z), dim=1), normalize(model.profile_head(w), dim=1)))
        return Embedded(*(torch.cat(column) for column in zip(*parts)))

    def state(self) -> dict:
        return dict(model=self.model.state_dict(), optimizer=self.optimizer.state_dict(), schedule=self.schedule.state_dict())

    def save(self, folder: Path):
        folder.mkdir(exist_ok=True)
        write_atomic(folder / "state.pt", lambda path: torch.save(self.state() | dict(epoch=self.epoch), path))

    def load(self, folder: Path):
        state = torch.load(folder / "state.pt")
        for name in self.state(): getattr(self, name).load_state_dict(state[name])
        self.epoch = state["epoch"]


def measure(run: Ours | Theirs, data: WorkFunctionDataset, split: Split) -> dict:
    "Retrieval among the test materials, and errors of the work function on them, eV."
    train, val, test = (Embedded._make(t if t is None else t.cpu() for t in run.embed(getattr(split, part))) for part in PARTS)
    energies = without_faces(computed_energies(data))
    y, truth = torch.stack([energies[k] for k in energy_names("fitted")], 1), energies["work_function"][split.test].numpy()
    known = train.z, y[split.train], val.z, y[split.val]
    found = dict(kernel=fit_kernel(*known)(test.z)[:, 0], probe=fit_probe(*known)(test.z)[:, 0])
    if test.head is not None: found["head"] = test.head
    recall = {k: v["R@1"] for k, v in retrieval_metrics((test.p_prof @ test.p_cry.T).numpy()).items() if isinstance(v, dict)}
    return recall | {f"MAE_{k}": error_metrics(p.numpy(), truth)["MAE"] for k, p in found.items()}


def begin(name: str, data: WorkFunctionDataset, split: Split, args: argparse.Namespace) -> tuple[Ours | Theirs, dict]:
    "A run and its records, new or as they were left."
    run, file = Theirs(data, split, args) if name == "reference" else Ours(name, data, split, args), args.out / f"{name}.json"
    about = dict(epochs=args.epochs, seed=args.seed, device=args.device, threads=torch.get_num_threads(), cores=os.cpu_count(),
                 python=platform.python_version(), torch=version("torch"), **{k: len(getattr(split, k)) for k in PARTS})
    if not file.is_file(): return run, dict(name=name, about=about, records=[])
    result = json.loads(file.read_text(encoding="utf-8"))
    if any(result["about"][k] != about[k] for k in ("epochs", "seed", "device", "threads")):
        raise SystemExit(f"{file}: a run with other options; choose another folder.")
    run.load(args.out / name)
    result["records"] = [r for r in result["records"] if r["epoch"] <= run.epoch]
    return run, result


def follow(name: str, data: WorkFunctionDataset, split: Split, args: argparse.Namespace) -> None:
    "Train to the end, with a record now and then."
    run, result = begin(name, data, split, args)
    records, every = result["records"], args.every or max(1, args.epochs // 40)
    seconds = records[-1]["seconds"] if records else 0.
    while run.epoch < args.epochs:
        start = time.perf_counter()
        loss = run.train()
        seconds += time.perf_counter() - start
        if run.epoch % every and run.epoch < args.epochs: continue
        records.append(dict(epoch=run.epoch, seconds=seconds, val_loss=loss) | measure(run, data, split))
        write_json(args.out / f"{name}.json", result)
        run.save(args.out / name)
        print(f"{name:10}", ", ".join(f"{k} {v:.4g}" for k, v in records[-1].items()), flush=True)


def draw(out: Path) -> None:
    "Accuracy against wall time, of all runs in the folder."
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for name, label in RUNS.items():
        if not (file := out / f"{name}.json").is_file(): continue
        records = json.loads(file.read_text(encoding="utf-8"))["records"]
        seconds = [r["seconds"] for r in records]
        recall = [(r["crystal_to_profile"] + r["profile_to_crystal"]) / 2 for r in records]
        for ax, values in zip(axes, (recall, [r["MAE_kernel"] for r in records])): ax.plot(seconds, values, lw=1.4, label=label)
    axes[0].set(ylabel="recall@1, mean of both directions")
    axes[1].set(ylabel="work function MAE, eV\n(kernel ridge on the crystal features)")
    for ax in axes: ax.set(xscale="log", xlabel="training time, s")
    axes[0].legend(frameon=False)
    save_figure(fig.axes[0], out / "convergence.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1000, metavar="N", help="default 1000; cosine annealing ends there")
    parser.add_argument("--which", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for records, states and the figure")
    parser.add_argument("--every", type=int, metavar="N", help="epochs from one record to the next; default a 40th of all")
    parser.add_argument("--seed", type=int, default=42, metavar="N", help="of split, weights and order; default 42")
    parser.add_argument("--threads", type=int, metavar="N", help="default: as many as torch takes")
    parser.add_argument("--device", default="cpu", help="default cpu")
    args = parser.parse_args()
    if args.threads: torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    data = load_dataset()
    for name in args.which: follow(name, data, data.split("formula", args.seed), args)
    draw(args.out)


if __name__ == "__main__":
    main()
