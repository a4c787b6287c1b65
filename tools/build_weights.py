"""Cross-validate our recipe from end to end and pack the ensemble that ships with the package into wfclip/weights.

    python tools/build_weights.py WORK [--taught FOLDER] [--epochs N] [--workers 1] [--seed 42] [--no-pack]

WORK keeps the runs, so that the command can be stopped and started again: a finished run is not trained twice. Five
members leave out one fold by composition each, and begin with the taught tower, which --taught first copies into the
package, in float16. Five more leave out one fold by prototype each; they only say how far intervals must widen for what
is unlike. The package gets the first member as the model of the embedding space, the crystal towers of the others, all
in float16, a bank of all bundled materials, what each member says of its own fold, and an index. Everything is measured
with the rounded weights, and goes to nbs/results/weights.json for the model card. With --no-pack nothing in the
package changes, and the results go to WORK.
"""
import argparse
import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from collect_results import RESULTS, rounded

from wfclip.bank import build_bank, extend_bank, write_bank
from wfclip.calibrate import Calibration
from wfclip.config import TrainConfig, WFClipConfig
from wfclip.crossval import OutOfFold, cross_calibration, fit_powers, fold_coverage, fold_retrieval, out_of_fold, summary
from wfclip.data.dataset import FOLDS, Split, WorkFunctionDataset, load_dataset
from wfclip.evaluate import baselines, error_metrics
from wfclip.files import WEIGHTS
from wfclip.embed import index_dataset
from wfclip.nn.clip import CrystalTower, WFClip, read_config, read_taught, save_taught
from wfclip.predict import Predictor
from wfclip.train import read_run, train

KINDS = ("formula", "prototype")


def train_fold(run: Path, threads: int, **recipe) -> None:
    "Train a member, or go on with it"
    torch.set_num_threads(threads)
    train(WFClipConfig(), load_dataset(), run, TrainConfig(**recipe), resume=(run / "config.json").exists())


def train_folds(work: Path, workers: int, **recipe) -> None:
    "Train what is not finished, `workers` at a time"
    threads = max(1, (os.cpu_count() or 1) // workers)
    todo = [(work / f"{by}-{k}", by, k) for by in KINDS for k in range(1, FOLDS + 1)]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        runs = [pool.submit(train_fold, run, threads, split=by, fold=k, **recipe)
                for run, by, k in todo if not (run / "bank.safetensors").exists()]
        for run in runs: run.result()


def store_taught(folder: Path) -> None:
    "Put a taught tower into the package"
    about = {k: v for k, v in read_config(folder).items() if k not in ("format", "model")}
    save_taught(read_taught(folder), WEIGHTS / "taught", half=True, **about)


def rounded_member(run: Path, folder: Path, whole: bool, **more) -> None:
    "Store a run's model, or its crystal tower alone, in float16"
    model = WFClip.from_pretrained(run)
    if not whole:
        tower = CrystalTower(model.config)
        tower.load_state_dict({k: t for k, t in model.state_dict().items() if k in tower.state_dict()})
        model = tower
    model.save_pretrained(folder, half=True, **more)


def measure(work: Path, data: WorkFunctionDataset) -> tuple[dict, dict]:
    "Out-of-fold predictions of both kinds, and what they are worth"
    left_out, found = {}, {}
    for by in KINDS:
        folders = [work / "rounded" / f"{by}-{k}" for k in range(1, FOLDS + 1)]
        runs = [work / f"{by}-{k}" for k in range(1, FOLDS + 1)]
        for run, folder in zip(runs, folders): rounded_member(run, folder, whole=True)
        models, splits = [WFClip.from_pretrained(f) for f in folders], [read_run(run, data)[2] for run in runs]
        left_out[by] = out_of_fold(models, data, splits)
        found[by] = summary(left_out[by]) | dict(retrieval=fold_retrieval(models, data, splits),
                                                 forest=forest(data, splits), epochs=[best_epoch(run) for run in runs])
    powers = fit_powers(left_out["formula"], left_out["prototype"])
    own = coverage([left_out["formula"]], [cross_calibration(left_out["formula"], powers)], True)
    apart = [left_out["prototype"].part(left_out["prototype"].fold == k) for k in range(FOLDS)]
    others = [left_out["prototype"].part(left_out["prototype"].fold != k) for k in range(FOLDS)]
    judged = [cross_calibration(left_out["formula"], fit_powers(left_out["formula"], o)) for o in others]
    found |= dict(powers=powers, coverage=dict(formula=own, prototype=coverage(apart, judged, False)))
    return left_out, found


def best_epoch(run: Path) -> int:
    "The epoch of lowest validation loss"
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return min(records, key=lambda r: r["val_loss"])["epoch"]


def forest(data: WorkFunctionDataset, splits: list[Split]) -> dict:
    "A random forest on the composition, on the same folds"
    wf = np.asarray(data.properties["work_function"])
    made = [baselines(data, s, wf[:, None])["composition, random forest"][:, 0] for s in splits]
    true = np.concatenate([wf[s.test] for s in splits])
    return error_metrics(np.concatenate(made), true) | dict(folds=[error_metrics(p, wf[s.test])["MAE"] for p, s in zip(made, splits)])


def coverage(parts: list[OutOfFold], calibrations: list[Calibration], own: bool) -> list[dict]:
    "Coverage of the intervals of every energy, over all parts, each with its calibration"
    cells = [(energy, c) for energy in ("work_function", "phi_top", "step", "ionization_energy", "electron_affinity", "gap")
             for c in (.5, .8, .9, .95)]
    inside = lambda e, c: torch.cat([fold_coverage(part, of, e, c, own) for part, of in zip(parts, calibrations)])
    return [dict(energy=e, nominal=c, reached=float(inside(e, c).float().mean())) for e, c in cells]


def pack(work: Path, data: WorkFunctionDataset, left_out: dict, powers: tuple[float, float]) -> None:
    "Write wfclip/weights from finished runs"
    for old in WEIGHTS.iterdir():
        if old.name == "taught": continue
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    runs = [work / f"formula-{k}" for k in range(1, FOLDS + 1)]
    members = [f"member-{k}" for k in range(2, FOLDS + 1)]
    _, training, split = read_run(runs[0], data)
    about = read_config(runs[0])["data"]
    about.pop("path")
    rounded_member(runs[0], WEIGHTS, whole=True, members=members, data=about, folds=dict(by=training.split, seed=training.seed))
    for run, name in zip(runs[1:], members): rounded_member(run, WEIGHTS / name, whole=False)
    model = WFClip.from_pretrained()
    bank = extend_bank(build_bank(model, data, split, held="test"), model, data, np.arange(len(data)))
    crossed = cross_calibration(left_out["formula"], powers)
    crossed.scores |= {k: s for k, s in bank.calibration.scores.items() if not k.startswith("head.")}
    bank.calibration = crossed
    write_bank(bank, WEIGHTS / "bank.safetensors", half=True)
    left_out["formula"].save(WEIGHTS / "left-out.safetensors")
    index_dataset(data, WEIGHTS / "index.safetensors", Predictor.from_pretrained(None, "cpu"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for the runs")
    parser.add_argument("--taught", type=Path, help="folder of a taught tower, to be put into the package first")
    parser.add_argument("--epochs", type=int, default=TrainConfig().epochs, help="of each member")
    parser.add_argument("--workers", type=int, default=1, help="trainings at a time")
    parser.add_argument("--seed", type=int, default=42, help="of folds and weights")
    parser.add_argument("--no-pack", action="store_true", help="measure only")
    args = parser.parse_args()
    if args.taught: store_taught(args.taught)
    data = load_dataset()
    train_folds(args.work, args.workers, seed=args.seed, epochs=args.epochs)
    left_out, found = measure(args.work, data)
    _, training, _ = read_run(args.work / "formula-1", data)
    about = dict(members=FOLDS, training=vars(training), versions={p: version(p) for p in ("wfclip", "torch", "numpy")})
    out = args.work if args.no_pack else RESULTS
    (out / "weights.json").write_text(json.dumps(rounded(about | found)) + "\n", encoding="utf-8")
    for by in KINDS:
        f = found[by]
        print(f"{by:10} MAE {f['errors']['work_function']['MAE']:.4f}", f["errors"]["gap"], f["metals"], f["polar"], f["retrieval"])
    if not args.no_pack: pack(args.work, data, left_out, found["powers"])


if __name__ == "__main__": main()
