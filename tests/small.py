"""A dataset and a run small enough to be made by each test that needs one."""
from pathlib import Path

CONFIG = dict(dim=48, atom_dim=16, channels=4, profile_length=64, profile_spacing=0.4)


def write_small(path: Path, n: int = 80) -> Path:
    "A dataset file of `n` of the bundled materials"
    from wfclip.data.dataset import load_dataset
    from wfclip.data.format import Entry, write_dataset
    data = load_dataset()

    def entry(i: int) -> Entry:
        known = {k: float(data.properties[k][i]) for k in ("vbm", "cbm", "gap")}
        return Entry(data.layer(i), data.profile(i), data.prototypes[i], known, dos=data.arrays["dos"][i])

    write_dataset(path, map(entry, range(0, len(data), len(data) // n)[:n]), name="small", functional="PBE")
    return path


def small_run(folder: Path) -> Path:
    "A run folder, after one epoch of a small model on a small dataset beside it"
    from wfclip.config import TrainConfig, WFClipConfig
    from wfclip.data.dataset import load_dataset
    from wfclip.train import train
    data = load_dataset(write_small(folder / "small.safetensors"))
    return train(WFClipConfig(**CONFIG), data, folder / "run", TrainConfig(epochs=1, start="random"), device="cpu", progress=False)
