"""A training that is killed at any moment and resumed ends with the same bits; Ctrl-C leaves a run that continues."""
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small import CONFIG, write_small

from wfclip.cli import main
from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import load_dataset
from wfclip.files import read_header
from wfclip.train import read_metrics, train

TRAIN = f"""
import sys
from pathlib import Path
from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import load_dataset
from wfclip.train import train
data, out = sys.argv[1:]
training = TrainConfig(epochs=6, batch_size=16, lr=1e-3, start="random")
train(WFClipConfig(**{CONFIG}), load_dataset(data), out, training, device="cpu", resume=Path(out, "config.json").exists(),
      checkpoint_seconds=0, progress=False)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_small(tmp_path_factory.mktemp("data") / "small.safetensors")


def start(*args) -> subprocess.Popen:
    "A process of its own"
    command = [sys.executable, *map(str, args)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def epochs(run: Path) -> int:
    "Epochs that a run has written down"
    path = run / "metrics.jsonl"
    return path.read_text(encoding="utf-8").count("\n") if path.exists() else 0


def wait_for_epochs(process: subprocess.Popen, run: Path, n: int):
    "Until the process has done `n` more epochs, or has ended"
    goal = epochs(run) + n
    while process.poll() is None and epochs(run) < goal: time.sleep(0.01)


def test_killed_at_random_and_resumed_it_ends_with_the_same_bits(data, tmp_path):
    training = TrainConfig(epochs=6, batch_size=16, lr=1e-3, start="random")
    whole = tmp_path / "whole"
    train(WFClipConfig(**CONFIG), load_dataset(data), whole, training, device="cpu", progress=False)
    chance, run = random.Random(), tmp_path / "killed"
    for _ in range(3):
        process = start("-c", TRAIN, data, run)
        wait_for_epochs(process, run, 1)
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        process.communicate()
    process = start("-c", TRAIN, data, run)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    for name in ("model.safetensors", "bank.safetensors", "last/state.safetensors"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert epochs(run) == 6
    assert not list(run.rglob(".*")), "temporary files are left"


def test_interrupted_it_says_how_to_continue(data, tmp_path, capsys):
    run = tmp_path / "run"
    process = start("-m", "wfclip", "train", "--data", data, "--epochs", 5, "--out", run)
    wait_for_epochs(process, run, 1)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate()
    assert process.returncode == 130 and out == "" and said.count("\n") == 1
    done, command = re.fullmatch(r"wfclip: stopped after epoch (\d); continue with: wfclip (.*)\n", said).groups()
    assert 1 <= int(done) == epochs(run) < 5
    assert main(command.split()) == 0
    assert epochs(run) == 5 and f"{run}: 5 epochs in" in capsys.readouterr().out


def test_interrupted_twice_it_tells_the_epoch_that_a_resume_starts_from(data, tmp_path, capsys):
    run, after = tmp_path / "run", None
    process = start("-m", "wfclip", "train", "--data", data, "--epochs", 40, "--out", run)
    wait_for_epochs(process, run, 1)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, said = process.communicate()
    assert process.returncode == 130 and said.count("\n") == 1, said
    done, command = re.fullmatch(r"wfclip: stopped after epoch (\d+); continue with: wfclip (.*)\n", said).groups()
    if (run / "last/state.safetensors").exists(): after = read_header(run / "last/state.safetensors")[0]["epoch"]
    assert int(done) == (after or 0) <= epochs(run)
    process = start("-m", "wfclip", *command.split())
    wait_for_epochs(process, run, 1)
    process.kill()
    process.communicate()
    first = [r["epoch"] for r in read_metrics(run)]
    assert first == list(range(1, len(first) + 1)) and len(first) > int(done), "no epoch twice, none left out"
