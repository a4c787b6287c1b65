"""Keep an evaluated run in the documentation: python tools/collect_results.py RUN COMMIT "COMMAND"

Joins the run's configuration, environment, learning curves and evaluation into nbs/results/PRESET-SPLIT.json, which the
notebook of measured results shows. COMMIT is the commit the run was made with.
"""
import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "nbs/results"
KEPT = ("epoch", "train_loss", "val_loss", "val_contrast", "val_heads", "recall_at_1", "val_mae", "logit_scale")


def rounded(x):
    "All floats of a JSON structure with five digits behind the point."
    if isinstance(x, dict): return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list): return [rounded(v) for v in x]
    return round(x, 5) if isinstance(x, float) else x


def main(run: str, commit: str, command: str) -> None:
    read = lambda name: json.loads((Path(run) / name).read_text())
    records = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
    config = read("config.json")
    config["data"].pop("path")
    preset = "wfclip" if config["model"]["joint"] else "paper"
    out = RESULTS / f"{preset}-{config['training']['split']}.json"
    out.parent.mkdir(exist_ok=True)
    content = dict(preset=preset, commit=commit, command=command, seconds=sum(r["seconds"] for r in records),
                   environment=read("environment.json"), config=config, evaluation=rounded(read("evaluation.json")),
                   records=[rounded({k: r[k] for k in KEPT if k in r}) for r in records])
    out.write_text(json.dumps(content) + "\n")
    print(out)


if __name__ == "__main__":
    if len(sys.argv) != 4: sys.exit(__doc__)
    main(*sys.argv[1:])
