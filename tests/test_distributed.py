"""The loss of two processes that gather their rows gives the loss and the gradients of one process."""
import os
import socket
import sys

import torch
from project import ROOT, python
from torch import nn

from wfclip.nn.loss import Temperature, contrastive_loss, gather_rows

W, B = 2, 5


def towers() -> nn.ModuleDict:
    "Two small towers and a temperature, the same in every process"
    torch.manual_seed(0)
    return nn.ModuleDict(dict(crystal=nn.Linear(6, 8), profile=nn.Linear(9, 8), temperature=Temperature()))


def loss(model: nn.ModuleDict, rows: slice) -> torch.Tensor:
    "The loss of some rows of a fixed batch, gathered over processes"
    g = torch.Generator().manual_seed(1)
    x, y = torch.randn(W * B, 6, generator=g)[rows], torch.randn(W * B, 9, generator=g)[rows]
    unit = lambda p: gather_rows(nn.functional.normalize(p, dim=1))
    return contrastive_loss(unit(model["crystal"](x)), unit(model["profile"](y)), model["temperature"]())


def work(rank: int, port: int, path: str):
    "One of W processes: loss and gradients of its own rows, averaged over processes as DDP does"
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=W)
    model = towers()
    value = loss(model, slice(rank * B, (rank + 1) * B))
    value.backward()
    for p in model.parameters(): torch.distributed.all_reduce(p.grad)
    if rank == 0: torch.save([value.detach(), *(p.grad / W for p in model.parameters())], path)
    torch.distributed.barrier()
    os._exit(0)   # gloo's threads now and then abort a process that takes them down on a busy machine


def test_two_processes_give_the_gradients_of_one(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    python(__file__, port, tmp_path / "two.pt", PYTHONPATH=str(ROOT / "tests"))
    model = towers()
    value = loss(model, slice(None))
    value.backward()
    found = torch.load(tmp_path / "two.pt", weights_only=True)
    for a, b in zip(found, [value.detach(), *(p.grad for p in model.parameters())], strict=True):
        assert (a - b).abs().max() < 1e-6
    fewer = loss(model, slice(0, B))   # a process that saw only its own rows would be elsewhere
    assert abs(fewer - value) > 0.1


if __name__ == "__main__": torch.multiprocessing.spawn(work, (int(sys.argv[1]), sys.argv[2]), W)
