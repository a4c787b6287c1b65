"""Keep an evaluated run in the documentation: python tools/collect_results.py RUN COMMIT "COMMAND"

Joins the run's configuration, environment, learning curves and evaluation into nbs/results/PRESET-SPLIT-SEED.json (with
the share of the training part behind it if that is not the whole), which the notebook of measured results shows. Of
runs with other seeds than 42 or on a part of the data only the errors are kept. COMMIT is the one the run was made with.
"""
import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "nbs/results"
KEPT = ("epoch", "train_loss", "val_loss", "val_contrast", "val_heads", "recall_at_1", "val_mae", "logit_scale")
BULKY = ("ids", "true", "predicted", "ranks", "typicality")


def rounded(x):
    "All floats of a JSON structure with five digits behind the point."
    if isinstance(x, dict): return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list): return [rounded(v) for v in x]
    return round(x, 5) if isinstance(x, float) else x


def main(run: str, commit: str, command: str) -> None:
    read = lambda name: json.loads((Path(run) / name).read_text(encoding="utf-8"))
    records = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    seconds, config = sum(r["seconds"] for r in records), read("config.json")
    config["data"].pop("path")
    preset = "wfclip" if config["model"]["joint"] else "paper"
    training, evaluation = config["training"], rounded(read("evaluation.json"))
    part = f"-{training['fraction']}" if training.get("fraction", 1) < 1 else ""
    out = RESULTS / f"{preset}-{training['split']}-{training['seed']}{part}.json"
    if part or training["seed"] != 42:
        evaluation, records = {k: v for k, v in evaluation.items() if k not in BULKY}, records[-1:]
    out.parent.mkdir(exist_ok=True)
    content = dict(preset=preset, commit=commit, command=command, seconds=seconds,
                   environment=read("environment.json"), config=config, evaluation=evaluation,
                   records=[rounded({k: r[k] for k in KEPT if k in r}) for r in records])
    out.write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(out)


if __name__ == "__main__":
    if len(sys.argv) != 4: sys.exit(__doc__)
    main(*sys.argv[1:])
