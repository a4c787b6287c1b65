"""The budgets of speed, each against a reference that is measured in the same run, as one table.

    python benchmarks/speed.py                             # all jobs, some minutes on two cores
    python benchmarks/speed.py --jobs structure search     # some of them
    python benchmarks/speed.py --threads 1 --json FILE     # keep the figures

The two sides of a row take turns (A B A B ...), after some turns that do not count. A time is the median over the turns with its
quartiles, and the ratio is the median of the turns' ratios, so that what slows the machine for a while slows both. A ratio with a
budget "≤" is our time over the reference's, with "≥" the reference's over ours. References:

structure  vesin's neighbour list alone, 8 Å, periodic in the plane, its quantities "ijDd"; one call each in turn
step       the published method written plainly, benchmarks/reference.py, in float32: fetching the batch, which computes the
           features of its structures, and the optimizer's step; the same materials in each turn, those of real epochs
parts      the same part without one idea
feed       the step itself
search     one pass over the matrix: torch's sum of the same bytes as 64-bit integers, with as many threads; over a file that is
           mapped anew each turn, its pages in the system's cache, and over the same bytes in memory. And faiss-cpu's IndexFlatIP,
           which holds the matrix in memory in float32
startup    Python that does nothing; Python that imports torch
encode     none: structures a second, and by how much the peak of memory grows
beside     the same prediction with torch's own threads, alone on the machine and beside one and two processes that compute
large      none: seconds and growth of the peak of memory over the number of atoms

Files are in the system's cache. For the row of faiss: pip install "wfclip[bench]".
"""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from reference import Reference, copy_weights, make_loader, training_step
from torch.nn.functional import normalize
from torch.utils.flop_counter import FlopCounterMode

from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import load_dataset
from wfclip.data.graph import Batch, flat_graphs, graph_arrays
from wfclip.data.layer import Layer
from wfclip.data.structure import read_layer
from wfclip.nearest import nearest_unit, top_k
from wfclip.nn.clip import WFClip
from wfclip.nn.expansion import smooth_cutoff
from wfclip.predict import Predictor
from wfclip.train import Trainer, epoch_batches, train_step

ROOT = Path(__file__).resolve().parents[1]
Work = Callable[[int], Any]  # what is timed, given the number of the turn
Times = np.ndarray  # seconds of each turn [repeats]


# --- timing and rows


def turns(works: dict[Any, Work], repeats: int, warmup: int = 2) -> dict[Any, Times]:
    "Run all works in turn."
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    times = {name: np.zeros(repeats) for name in works}
    for k, (name, work) in product(range(-warmup, repeats), works.items()):
        wait()
        start = time.perf_counter()
        work(k + warmup)
        wait()
        if k >= 0: times[name][k] = time.perf_counter() - start
    return times


def duration(seconds: Times) -> str:
    "Median and quartiles as text."
    middle, low, high = np.percentile(seconds, (50, 25, 75))
    unit, scale = next((u, s) for u, s, most in (("µs", 1e6, 1e-3), ("ms", 1e3, 1), ("s", 1, np.inf)) if middle < most)
    digits = max(0, 2 - int(np.floor(np.log10(max(middle * scale, 1e-9)))))
    return f"{middle * scale:.{digits}f} {unit} ({low * scale:.{digits}f} to {high * scale:.{digits}f})"


def row(job: str, ours: Times | str, reference: Times | str = "", budget: str = "", figure: float | None = None, unit: str = "",
        gain: bool = False) -> dict:
    "A row of the table, printed at once; the figure is the ratio of the times if it is not given."
    if figure is None and not isinstance(ours, str) and not isinstance(reference, str):
        figure = float(np.median(reference / ours if gain or "≥" in budget else ours / reference))
    met, limit = None, float(budget[2:] or "nan")
    if figure is not None and budget: met = figure <= limit if "≤" in budget else figure >= limit
    text = [x if isinstance(x, str) else duration(x) for x in (ours, reference)]
    cells = [job, *text, "" if figure is None else f"{figure:.3g}{unit}", budget + unit * bool(budget)]
    print("|", " | ".join([*cells, "" if met is None else "yes" if met else "no"]), "|", flush=True)
    seconds = {k: dict(zip(("median", "q1", "q3"), np.percentile(x, (50, 25, 75)).tolist()))
               for k, x in dict(ours=ours, reference=reference).items() if not isinstance(x, str)}
    return dict(job=job, figure=figure, unit=unit, budget=budget, met=met, text=text, seconds=seconds)


def say(text: str): print(f"# {text}", file=sys.stderr, flush=True)


def memory_growth(work: Callable[[], Any]) -> float:
    "By how much the largest resident memory of this process during the work exceeds that before, MB; NaN but on Linux."
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    resident = lambda name: int(re.search(rf"{name}:\s+(\d+)", status.read_text(encoding="utf-8"))[1]) / 1024  # type: ignore
    if reset.exists(): reset.write_text("5", encoding="utf-8")  # the peak is from now on
    before = resident("VmRSS") if reset.exists() else np.nan
    work()
    return resident("VmHWM") - before if reset.exists() else np.nan


def alone(function: Callable, *args) -> Any:
    "The result of a function in a process of its own."
    with ProcessPoolExecutor(1, get_context("spawn")) as pool: return pool.submit(function, *args).result()


# --- structure to tensors


def supercell(layer: Layer, n: int, jitter: float = 0., seed: int = 0) -> Layer:
    "n x n cells, each atom moved at random by about `jitter` Å."
    shifts = np.array(list(product(range(n), repeat=2))) @ layer.cell[:2]
    positions = (layer.positions + shifts[:, None]).reshape(-1, 3)
    positions = positions + jitter * np.random.default_rng(seed).standard_normal(positions.shape)
    return Layer(np.tile(layer.numbers, n * n), positions, layer.cell * [[n], [n], [1]], layer.id)


def one_structure(layer: Layer, local: bool) -> dict[str, torch.Tensor]:
    "Tensors of a structure, with or without the 363 numbers of the paper preset."
    return {k: torch.from_numpy(v) for k, v in graph_arrays(layer, geometry=local).items()}


def structure_times(layers: Sequence[Layer], repeats: int) -> tuple[dict[str, Times], dict[str, Times]]:
    "Times of the first of the layers, and times of all together divided by their number."
    from vesin import NeighborList
    search, n = NeighborList(cutoff=8.0, full_list=True), len(layers)
    neighbors = lambda layer: search.compute(layer.positions, layer.cell, (True, True, False), "ijDd")
    single: dict[str, Work] = dict(vesin=lambda k: neighbors(layers[k % n]), ours=lambda k: one_structure(layers[k % n], False),
                                   local=lambda k: one_structure(layers[k % n], True))
    batch: dict[str, Work] = dict(vesin=lambda _: [neighbors(layer) for layer in layers], ours=lambda _: flat_graphs(layers))
    each = {name: t / n for name, t in turns(batch, repeats, 1).items()}
    return turns(single, 20 * repeats, 20), each


def structure_job(args: argparse.Namespace) -> Iterator[dict]:
    "Structures of 3, 12 and 48 atoms, alone and 64 at a time."
    cell, found = read_layer(ROOT / "examples/MoS2.cif"), {}
    kinds = {"3 atoms": (1, 0.)} | {f"{3 * n * n} atoms, {kind}": (n, jitter) for n in (2, 4)
                                    for kind, jitter in (("exact supercell", 0.), ("jittered", .02))}
    for name, (n, jitter) in kinds.items():
        found[name] = structure_times([supercell(cell, n, jitter, seed) for seed in range(64)], args.repeats)
    for name, (t, _) in found.items(): yield row(f"structure to tensors, {name}", t["ours"], t["vesin"], "≤ 3")
    for name, (_, t) in found.items(): yield row(f"64 structures to a batch, each, {name}", t["ours"], t["vesin"], "≤ 3")
    for name, (t, _) in found.items(): yield row(f"with the 363 numbers of the paper preset, {name}", t["local"], t["vesin"])


# --- training


def configuration(length: int) -> WFClipConfig:
    "The paper preset with profiles of another length, of 30 Å all the same."
    return WFClipConfig.paper(profile_length=length, profile_spacing=30 / length)


class Bench:
    "The bundled data with the batches of real epochs, and the models that train on them."

    def __init__(self, args: argparse.Namespace):
        self.data, self.device = load_dataset(), torch.device(args.device)
        self.split, n, epoch = self.data.split("formula", 42), args.repeats + 4, 0
        self.batches: list[tuple[np.ndarray, torch.Tensor]] = []
        while len(self.batches) < n:
            made = epoch_batches(len(self.split.train), 64, 42, epoch := epoch + 1)
            self.batches += [(self.split.train[i], flip) for i, flip in made]

    def trainer(self, config: WFClipConfig, precision: str) -> Trainer:
        "Ours, about to train."
        return Trainer(config, TrainConfig(split="formula", precision=precision), self.data, self.split, self.device)

    def ours(self, trainer: Trainer, lr: float = 1e-4) -> Work:
        "Our step."
        def work(k: int):
            trainer.model.train()
            return train_step(trainer, *self.batches[k], lr)
        return work

    def loader(self, config: WFClipConfig):
        "The reference's batches, in the order of ours."
        return make_loader(self.data, range(len(self.data)), config, batch_sampler=[i.tolist() for i, _ in self.batches])

    def reference(self, model: Reference, fetch: bool, lr: float = 1e-4) -> Work:
        "The reference's step, with its loader or on batches that are at hand already."
        optimizer, batches = torch.optim.AdamW(model.parameters(), lr), iter(self.loader(model.config))
        if not fetch: batches = iter([[t.to(self.device) for t in batch] for batch in batches])
        def work(k: int):
            crystals, profiles = next(batches)
            return training_step(model.train(), optimizer, crystals.to(self.device), profiles.to(self.device))
        return work

    def twin(self, source: WFClip) -> Reference:
        "The reference with the same weights as a paper preset."
        return copy_weights(Reference(source.config), source).to(self.device)


def loss_difference(bench: Bench, trainer: Trainer, batches: int = 4) -> float:
    "Largest relative difference of the losses of both training steps, with equal weights, which a learning rate of 0 keeps."
    ours, reference = bench.ours(trainer, 0.), bench.reference(bench.twin(trainer.model), True, 0.)
    pairs = [(ours(k).item(), reference(k).item()) for k in range(batches)]
    return max(abs(a - b) / abs(b) for a, b in pairs)


def step_job(args: argparse.Namespace) -> Iterator[dict]:
    "A training step, batch 64: the paper preset in both precisions, and ours as shipped."
    bench = Bench(args)
    trainers = {(L, p): bench.trainer(configuration(L), p) for L in (448, 256) for p in ("float32", "bfloat16")}
    differences = {key: loss_difference(bench, trainer) for key, trainer in trainers.items()}
    for L in (448, 256):
        yield row(f"losses of a step, float32, L = {L}: relative difference", "", "", "≤ 0.0001", differences[L, "float32"])
    for L in (448, 256): yield row(f"the same in bfloat16, L = {L}", "", "", "", differences[L, "bfloat16"])
    default, short = WFClipConfig(), (128, 64)
    shipped = bench.trainer(default, "auto")
    shorter = {L: bench.trainer(replace(default, profile_length=L, profile_spacing=25.6 / L), "auto") for L in short}
    works: dict[Any, Work] = {(L, fetch): bench.reference(bench.twin(trainers[L, "float32"].model), fetch)
                              for L in (448, 256) for fetch in (True, False)}
    works |= {key: bench.ours(trainer) for key, trainer in trainers.items()} | {"shipped": bench.ours(shipped)}
    works |= {L: bench.ours(trainer) for L, trainer in shorter.items()}
    t = turns(works, args.repeats, 3)
    for L in (448, 256):
        yield row(f"training step, paper preset, float32, L = {L}", t[L, "float32"], t[L, True], "≥ 1.5")
        yield row("the same against the reference without its loader", t[L, "float32"], t[L, False], gain=True)
        yield row(f"training step, paper preset, bfloat16, L = {L}", t[L, "bfloat16"], t[L, True], "≥ 3")
    length = shipped.model.config.profile_length
    yield row(f"training step as shipped, L = {length}; reference L = 448", t["shipped"], t[448, True], "≥ 5")
    for L in short: yield row(f"the same with L = {L}", t[L], t[448, True], gain=True)


def peak(dtype: torch.dtype, device: torch.device, n: int = 2048) -> float:
    "Operations a second of a product of two square matrices, 1e9."
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    return 2e-9 * n**3 / float(np.median(turns(dict(product=lambda _: a @ b), 5)["product"]))


def backward(run: Callable[[], torch.Tensor], parameters: Sequence[torch.Tensor], fast: bool, device: torch.device) -> Work:
    "Forward and backward through a part of a model."
    def work(_: int):
        with torch.autocast(device.type, torch.bfloat16, enabled=fast): y = run()
        torch.autograd.grad(y.float().square().mean(), parameters, allow_unused=True)
    return work


def unfolded(batch: Batch) -> Batch:
    "A batch with an edge for each image. (Each gets the mean of the harmonics of its edge.)"
    images = batch.edge_y[:, 0].round().long()
    each = torch.repeat_interleave(torch.arange(len(images), device=images.device), images)
    return replace(batch, edge_index=batch.edge_index[:, each], edge_dist=batch.edge_dist[each],
                   edge_y=(batch.edge_y / images[:, None])[each], nearest=(images.cumsum(0) - images)[batch.nearest])


def parts_job(args: argparse.Namespace) -> Iterator[dict]:
    "What each idea brings, forward and backward on a batch of 64, and how far the step is from the hardware's peak."
    bench = Bench(args)
    trainer, twin = bench.trainer(WFClipConfig(), "auto"), bench.twin(WFClip(WFClipConfig.paper()))
    model, (batch, profiles, _) = trainer.model.train(), trainer.feed.take(*bench.batches[0])
    crystals = next(iter(bench.loader(twin.config)))[0].to(bench.device)
    atoms, h = crystals.numbers > 0, torch.randn(*crystals.numbers.shape, twin.config.dim, device=bench.device)
    flat, expand, fade = h[atoms], model.crystal.expand, smooth_cutoff(batch.edge_dist)
    origin = expand(fade.new_zeros(()))
    bias = [b(batch, expand(batch.edge_dist), origin, fade).detach() for b in model.crystal.biases]

    def ours() -> torch.Tensor:
        x = flat
        for b, block in zip(bias, model.crystal.blocks): x = block(x, b, batch.ptr)
        return x

    def padded() -> torch.Tensor:
        x = h
        for block in twin.crystal.blocks: x = block(x, crystals.edges, atoms)
        return x

    single = unfolded(batch)
    part = lambda run, module, fast=False: backward(run, list(module.parameters()), fast, bench.device)
    towers = {(who, fast): part(lambda m=m: m.profile(profiles), m.profile, fast)
              for who, m in (("ours", model), ("plain", twin)) for fast in (False, True)}
    blocks = model.crystal.blocks
    works = {**towers, "plain": part(padded, twin.crystal.blocks), "ours": part(ours, blocks), "fast": part(ours, blocks, True),
             "merged": part(lambda: model.crystal(batch), model.crystal),
             "single": part(lambda: model.crystal(single), model.crystal)}
    t = turns(works, args.repeats)
    yield row("profile tower, float32: channels last; nn.Conv1d", t["ours", False], t["plain", False], gain=True)
    yield row("the same in bfloat16; nn.Conv1d in float32", t["ours", True], t["plain", False], gain=True)
    yield row("Transformer blocks, float32: attention padded alone; all of it padded", t["ours"], t["plain"], gain=True)
    yield row("the same in bfloat16", t["fast"], t["plain"], gain=True)
    name = f"crystal tower: {len(batch.edge_dist)} edges; one for each of {len(single.edge_dist)} images"
    yield row(name, t["merged"], t["single"], gain=True)
    yield from optimizer_rows(args, model)
    yield from roofline_rows(args, bench, trainer)


def optimizer_rows(args: argparse.Namespace, model: WFClip) -> Iterator[dict]:
    "AdamW as torch makes it by default, and fused."
    for p in model.parameters(): p.grad = torch.zeros_like(p)
    fused, plain = (torch.optim.AdamW(model.parameters(), 0., fused=f) for f in (True, None))
    t = turns(dict(fused=lambda _: fused.step(), plain=lambda _: plain.step()), args.repeats)
    yield row("AdamW: fused; torch's default", t["fused"], t["plain"], gain=True)


def roofline_rows(args: argparse.Namespace, bench: Bench, trainer: Trainer) -> Iterator[dict]:
    "Arithmetic of a step, and its share of what products of matrices reach."
    with FlopCounterMode(display=False) as count: bench.ours(trainer)(0)
    work = count.get_total_flops() / 1e9
    top = {d: peak(d, bench.device) for d in (torch.float32, torch.bfloat16)}
    for d, speed in top.items(): yield row(f"product of matrices, {str(d)[6:]}", "", "", figure=speed, unit=" GFLOP/s")
    t = turns(dict(step=bench.ours(trainer)), args.repeats)["step"]
    yield row(f"the step as shipped, {work:.1f} GFLOP", t, "", figure=work / float(np.median(t)), unit=" GFLOP/s")
    yield row("at the peak of bfloat16 it would take", "", "", figure=1e3 * work / top[torch.bfloat16], unit=" ms")


def feed_job(args: argparse.Namespace) -> Iterator[dict]:
    "Gathering a batch, as a share of the step."
    bench = Bench(args)
    for name, config in (("as shipped", WFClipConfig()), ("paper preset", WFClipConfig.paper())):
        trainer = bench.trainer(config, "auto")
        take = lambda k: trainer.feed.take(*bench.batches[k])  # noqa: B023
        t = turns(dict(take=take, step=bench.ours(trainer)), args.repeats, 3)
        share = 100 * float(np.median(t["take"] / t["step"]))
        yield row(f"feeding, share of the step, {name}", t["take"], t["step"], "≤ 2", share, " %")


# --- search

ROWS, WIDTH, BEST = 1_000_000, 384, 20


def write_matrix(path: Path):
    "Random unit vectors in float16, block by block."
    random, size = torch.Generator().manual_seed(0), 50_000
    with open(path, "wb") as file:
        for _ in range(ROWS // size): file.write(normalize(torch.randn(size, WIDTH, generator=random)).half().numpy().data)


def mapped(path: Path, kind: str = "float16") -> np.ndarray:
    "The matrix, mapped anew."
    return np.memmap(path, kind, "c", shape=(ROWS, WIDTH) if kind == "float16" else None)


def search_memory(path: Path, threads: int) -> float:
    "By how much a search makes the peak of memory grow, MB."
    torch.set_num_threads(threads)
    query, matrix = normalize(torch.randn(WIDTH), dim=0), mapped(path)
    nearest_unit(query, matrix[:8192], BEST)
    return memory_growth(lambda: nearest_unit(query, matrix, BEST))


def wrong_rows(queries: torch.Tensor, matrix: np.ndarray) -> int:
    "How many of the rows found are not those of largest product in numpy's float64; products closer than 1e-6 count as equal."
    values, rows = (torch.stack(t) for t in zip(*(nearest_unit(q, matrix, BEST) for q in queries)))
    exact = np.concatenate([matrix[k:k + 20_000].astype(float) @ queries.double().numpy().T for k in range(0, ROWS, 20_000)])
    best = np.sort(np.partition(exact, -BEST, 0)[-BEST:], 0)[::-1].T
    at = np.take_along_axis(exact.T, rows.numpy(), 1)
    return int((np.abs(at - best) > 1e-6).sum() + (np.abs(values.numpy() - best) > 1e-6).sum())


def faiss_index(matrix: np.ndarray, threads: int):
    "The flat index of faiss, or None without it."
    try: import faiss
    except ImportError: return say("faiss is not installed (pip install faiss-cpu): its rows are left out.")
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(WIDTH)
    for k in range(0, ROWS, 50_000): index.add(matrix[k:k + 50_000].astype(np.float32))
    return index


def search_job(args: argparse.Namespace) -> Iterator[dict]:
    "The 20 most similar of a million rows, for one query and for 64."
    with TemporaryDirectory() as tmp:
        write_matrix(path := Path(tmp) / "matrix")
        threads, queries = torch.get_num_threads(), normalize(torch.randn(64, WIDTH))
        index = faiss_index(mapped(path), threads)
        memory = np.fromfile(path, np.float16).reshape(ROWS, WIDTH)
        whole = torch.from_numpy(memory.reshape(-1).view(np.int64))
        works: dict[str, Work] = {"pass, file": lambda _: torch.from_numpy(mapped(path, "int64")).sum(),
                                  "file": lambda k: nearest_unit(queries[k % 64], mapped(path), BEST),
                                  "pass, memory": lambda _: whole.sum(),
                                  "memory": lambda k: nearest_unit(queries[k % 64], memory, BEST)}
        many: dict[str, Work] = {"file": lambda _: top_k(queries, mapped(path), BEST)}
        if index:
            works["faiss"] = lambda k: index.search(queries[k % 64][None].numpy(), BEST)
            many["faiss"] = lambda _: index.search(queries.numpy(), BEST)
        t, m = turns(works, args.repeats), turns(many, min(args.repeats, 5), 1)
        yield row("search, 1 query, mapped file; one pass over it", t["file"], t["pass, file"], "≤ 2")
        yield row("search, 1 query, in memory; one pass over it", t["memory"], t["pass, memory"], "≤ 2")
        if index:
            yield row("search, 1 query, mapped file; faiss in memory, float32", t["file"], t["faiss"])
            yield row("search, 64 queries, mapped file; faiss in memory, float32", m["file"], m["faiss"])
        else: yield row("search, 64 queries, mapped file", m["file"])
        yield row("search: rows that differ from numpy's, of 80", "", "", "≤ 0", wrong_rows(queries[:4], memory))
        yield row("search, mapped file: growth of peak memory", "", "", "", alone(search_memory, path, threads), " MB")
        say(f"one pass: {memory.nbytes / np.median(t['pass, file']) / 1e9:.1f} GB/s mapped, "
            f"{memory.nbytes / np.median(t['pass, memory']) / 1e9:.1f} GB/s in memory")


# --- start-up


def startup_job(args: argparse.Namespace) -> Iterator[dict]:
    "The command line, as processes of their own."
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    env |= {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    run = lambda *words: lambda _: subprocess.run([sys.executable, *words], env=env, check=True, capture_output=True)
    t = turns(dict(help=run("-m", "wfclip", "--help"), python=run("-c", "pass")), args.repeats)
    yield row("wfclip --help; bare Python", t["help"], t["python"], "≤ 0.3", float(np.median(t["help"] - t["python"])), " s more")
    commands = dict(predict=["predict", str(ROOT / "examples/MoS2.cif")], search=["search", "--work-function", "4.4", "4.6"],
                    profile=["data", "profile", str(ROOT / "examples/calculations/vasp/WSSe/LOCPOT.gz")])
    works = {name: run("-m", "wfclip", *words) for name, words in commands.items()}
    t = turns(works | dict(torch=run("-c", "import torch")), min(args.repeats, 7), 1)
    yield row("wfclip predict MoS2.cif; python -c 'import torch'", t["predict"], t["torch"], "≤ 1.6")
    yield row("wfclip search --work-function 4.4 4.6; the same", t["search"], t["torch"])
    yield row("wfclip data profile LOCPOT.gz; the same", t["profile"], t["torch"])


# --- screening


def encode_all(times: int, device: str, threads: int, block: int = 256) -> tuple[int, float, float]:
    "Encode the bundled structures some times over: how many, seconds, growth of the peak of memory in MB."
    torch.set_num_threads(threads)
    predictor, data = Predictor.from_pretrained(device=device), load_dataset()
    predictor.encode([data.layer(i) for i in range(block)])
    start, index = time.perf_counter(), np.tile(np.arange(len(data)), times)
    blocks = np.array_split(index, range(block, len(index), block))
    growth = memory_growth(lambda: [predictor.encode(list(map(data.layer, b))) and None for b in blocks])
    return len(index), time.perf_counter() - start, growth


def encode_job(args: argparse.Namespace) -> Iterator[dict]:
    "Structures a second, few and many."
    for times in (1, 4):
        n, seconds, growth = alone(encode_all, times, args.device, torch.get_num_threads())
        name = f"encoding {n} structures; peak memory grows by {growth:.0f} MB"
        yield row(name, f"{seconds:.1f} s", figure=n / seconds, unit=" /s")


# --- beside other work, and large structures


def busy() -> None:
    "Compute until killed."
    a = np.ones((300, 300))
    while True: a @ a


def predict_many(threads: int, divided: bool, n: int = 500) -> float:
    "Seconds for n predictions; divided: every operation of torch is split among its threads, as torch does by itself."
    torch.set_num_threads(threads)
    predictor, data = Predictor.from_pretrained(device="cpu"), load_dataset()
    layers = [data.layer(i) for i in range(n)]
    predictor.predict(layers[:9])
    start = time.perf_counter()
    if divided:
        with patch("wfclip.encode._spread", map), patch("wfclip.threads.torch.set_num_threads"): predictor.predict(layers)
    else: predictor.predict(layers)
    return time.perf_counter() - start


def beside_job(args: argparse.Namespace) -> Iterator[dict]:
    "500 predictions in this program's threads and in torch's, alone and beside others."
    threads = torch.get_num_threads()
    for others in range(3):
        crowd = [get_context("spawn").Process(target=busy, daemon=True) for _ in range(others)]
        for process in crowd: process.start()
        times = np.array([[alone(predict_many, threads, divided) for divided in (False, True)] for _ in range(3)])
        for process in crowd: process.kill()
        yield row(f"500 predictions beside {others} processes; torch's threads", *times.T, gain=True)


def predict_large(cells: int) -> tuple[int, float, float]:
    "Atoms of a supercell of MoS2, seconds of its prediction, and growth of the peak of memory in MB."
    predictor, layer = Predictor.from_pretrained(device="cpu"), read_layer(ROOT / "examples/MoS2.cif")
    predictor.predict(layer)
    big, start = supercell(layer, cells), time.perf_counter()
    growth = memory_growth(lambda: predictor.predict(big))
    return len(big), time.perf_counter() - start, growth


def large_job(args: argparse.Namespace) -> Iterator[dict]:
    "One structure of 12 to 5,043 atoms."
    for cells in (2, 6, 18, 41):
        atoms, seconds, growth = alone(predict_large, cells)
        yield row(f"a prediction of {atoms:,} atoms; peak memory grows by {growth:.0f} MB", f"{seconds:.1f} s", figure=1e3 * seconds / atoms,
                  unit=" ms an atom")


JOBS = dict(structure=structure_job, step=step_job, parts=parts_job, feed=feed_job, search=search_job, startup=startup_job,
            encode=encode_job, beside=beside_job, large=large_job)


def about(args: argparse.Namespace) -> dict:
    "Machine and versions."
    info = Path("/proc/cpuinfo")
    name = re.search(r"model name\s*:\s*(.*)", info.read_text(encoding="utf-8")) if info.is_file() else None
    found: dict[str, Any] = dict(cpu=name[1] if name else platform.processor(), cores=os.cpu_count(),
                                 threads=torch.get_num_threads(), load=round(os.getloadavg()[0], 2), repeats=args.repeats,
                                 python=platform.python_version())
    if args.device != "cpu": found["device"] = torch.cuda.get_device_name()
    for package in ("torch", "numpy", "vesin", "faiss-cpu"):
        try: found[package] = version(package)
        except PackageNotFoundError: found[package] = "none"
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--repeats", type=int, default=15, metavar="N", help="turns that count; default 15")
    parser.add_argument("--threads", type=int, metavar="N", help="default: as many as torch takes")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the models; search is on the CPU")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    args = parser.parse_args()
    if args.threads: torch.set_num_threads(args.threads)
    if args.device == "cuda" and not torch.cuda.is_available(): sys.exit("there is no GPU that torch can use here.")
    head, rows = about(args), []
    print(", ".join(f"{k} {v}" for k, v in head.items()), end="\n\n")
    print("| job | ours | reference | ratio | budget | met |\n|---|---|---|---|---|---|", flush=True)
    for name in args.jobs:
        say(f"{name}: {JOBS[name].__doc__}")
        start = time.perf_counter()
        rows += [r | dict(kind=name) for r in JOBS[name](args)]
        say(f"{name}: {time.perf_counter() - start:.0f} s")
        if args.json: args.json.write_text(json.dumps(dict(about=head, rows=rows), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
