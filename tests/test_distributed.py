"""Several processes train as one does: loss and gradients, the command line, stop and resume, one sentence for an error."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
import torch
from project import ROOT
from small import CONFIG, write_small

from wfclip.cli import main
from wfclip.config import WFClipConfig
from wfclip.data.dataset import load_dataset
from wfclip.nn.clip import Objective, WFClip
from wfclip.nn.distributed import parallel, process_group, rank, world
from wfclip.train import Feed, read_metrics

B = 12   # materials of the global batch
BITS = ("model.safetensors", "bank.safetensors", "last/state.safetensors")


def torchrun(*args) -> subprocess.Popen:
    "Two processes of one thread each"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, *args]
    env = {k: v for k, v in os.environ.items() if k != "IN_TEST"}
    env |= dict(OMP_NUM_THREADS="1", PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    return subprocess.Popen(list(map(str, command)), env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill(process: subprocess.Popen):
    "Kill torchrun and its processes, which would live on without it"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    for pid in (process.pid, *map(int, children)): os.kill(pid, signal.SIGKILL)
    process.communicate()


def finish(process: subprocess.Popen, good: bool = True) -> tuple[str, str]:
    "What the processes printed; the test fails if they do not end, or not as expected"
    try: out, said = process.communicate(timeout=240)
    finally:
        if process.poll() is None: kill(process)
    assert (process.returncode == 0) == good, said[-6000:]
    return out, said


def sentences(said: str) -> list[str]:
    "Those of wfclip, without what torchrun has to say"
    return [line for line in said.splitlines() if line.startswith("wfclip: ")]


def gradients(data: Path) -> dict[str, torch.Tensor]:
    "Loss of this process's part of a batch, gradients as averaged for training, and buffers; in float64"
    config = WFClipConfig(**CONFIG)
    feed = Feed(load_dataset(data), config, torch.device("cpu"))
    torch.manual_seed(0)
    model = WFClip(config)
    model.heads.fit_statistics(feed.targets(range(60)))
    model.double().train()
    feed.target = {k: t.double() for k, t in feed.target.items()}
    feed.target["work_function"][1:6] = torch.nan       # the first process knows one of these, the second all
    feed.target["ionization_energy"][6:] = torch.nan    # the second knows none
    feed.target["electron_affinity"][:] = torch.nan     # nobody knows any
    batch, profiles, target = feed.take(torch.arange(B).chunk(world())[rank()])
    objective = parallel(Objective(model), torch.device("cpu"))
    keep = lambda x: x if x.dtype == torch.float64 else x.to(torch.float32)
    with mock.patch.object(torch.Tensor, "float", keep):    # what steps up to float32 must not step down to it
        loss = objective(batch.to(dtype=torch.float64), profiles, target)
    loss.backward()
    found = {f"gradient of {k}": p.grad for k, p in model.named_parameters() if p.numel()}
    return dict(loss=loss.detach()) | found | {k: b for k, b in model.named_buffers() if b.numel()}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_small(tmp_path_factory.mktemp("data") / "small.safetensors")


def test_two_processes_give_the_loss_and_the_gradients_of_one(data, tmp_path):
    finish(torchrun(__file__, data, tmp_path))
    one, *two = gradients(data), *(torch.load(tmp_path / f"{r}.pt", weights_only=True) for r in range(2))
    assert one["loss"].dtype == torch.float64 and len([k for k in one if k.startswith("gradient")]) > 100
    whole, own = one.pop("loss"), [t.pop("loss") for t in two]
    assert abs(own[0] - whole) > 1e-3, "each has a loss of its own"
    assert abs((own[0] + own[1]) / 2 - whole) < 1e-6
    for name, value in one.items():
        assert torch.equal(two[0][name], two[1][name]), name
        assert (two[0][name] - value).abs().max() < 1e-6, name


def train(data: Path, run: Path, *more) -> subprocess.Popen:
    "wfclip train in two processes"
    return torchrun("-m", "wfclip", "train", "--data", data, "--out", run, "--epochs", 6, "--lr", 1e-3, *more)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    "A run in two processes"
    run = tmp_path_factory.mktemp("run") / "two"
    out, said = finish(train(data, run))
    assert out.startswith(f"{run}: 6 epochs in") and out.count("\n") == 3 and not sentences(said)
    return run


def test_command_line_trains_as_one_process_does(data, whole, tmp_path):
    one = tmp_path / "one"
    assert main(["train", "--data", str(data), "--out", str(one), "--epochs", "6", "--lr", "1e-3"]) == 0
    listing = lambda run: sorted(str(p.relative_to(run)) for p in run.rglob("*"))
    assert listing(whole) == listing(one)
    assert (whole / "split.json").read_bytes() == (one / "split.json").read_bytes()
    assert (whole / "config.json").read_bytes() == (one / "config.json").read_bytes()
    assert json.loads((whole / "environment.json").read_text(encoding="utf-8"))["processes"] == 2
    for a, b in zip(read_metrics(whole), read_metrics(one), strict=True):
        for k in ("train_loss", "val_loss", "val_mae"): assert a[k] == pytest.approx(b[k], rel=0.02), (a, b)


def wait_for_epochs(process: subprocess.Popen, run: Path, n: int):
    "Until n epochs are written down, or the processes have ended"
    while process.poll() is None and len(read_metrics(run)) < n: time.sleep(0.01)


def test_stopped_killed_and_resumed_it_ends_with_the_same_bits(data, whole, tmp_path):
    run = tmp_path / "run"
    process = train(data, run)
    wait_for_epochs(process, run, 1)
    process.send_signal(signal.SIGTERM)
    said = sentences(finish(process, good=False)[1])
    done, command = re.fullmatch(r"wfclip: stopped after epoch (\d); continue with: (.*)", *said).groups()
    assert 1 <= int(done) < 5 and command == f"torchrun --nproc-per-node 2 -m wfclip train --resume --out {run}"
    process = train(data, run, "--resume")
    wait_for_epochs(process, run, int(done) + 1)
    kill(process)
    assert int(done) < len(read_metrics(run)) < 6
    finish(train(data, run, "--resume"))
    for name in BITS: assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(run.rglob(".*")), "temporary files are left"


def test_what_is_wrong_is_said_once(data, whole):
    said = sentences(finish(train(data, whole), good=False)[1])
    assert said == [f"wfclip: {whole} holds a run already: continue it with --resume, or choose another folder with --out."]


def test_a_loss_that_is_no_number_stops_all_and_is_said_once(data, tmp_path):
    said, = sentences(finish(train(data, tmp_path / "run", "--lr", "1e30"), good=False)[1])
    assert said.startswith(f"wfclip: {tmp_path / 'run'}: the validation loss of epoch 1 is nan, after the batch of ")
    assert "NaN" not in (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8")


if __name__ == "__main__":
    with process_group("cpu"): torch.save(gradients(Path(sys.argv[1])), Path(sys.argv[2]) / f"{rank()}.pt")
