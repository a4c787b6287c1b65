"""Break a component on purpose and see whether its own notebook notices.

    python tools/mutants.py                  # all changes, and nbs/results/house/mutants.json
    python tools/mutants.py attention -j 2   # those of some components, two at a time; nothing is written

A component is tested where it is explained: whoever changes it runs one notebook, and that must suffice. Each change below is
made in a scratch copy of the notebooks and the package, exported, and the notebook alone is run with its tests. A change that
no test notices has survived; none may. Other changes of the same kind are worth trying: add them here.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "nbs/results/house/mutants.json"
RUN = """
import sys
from pathlib import Path
from nbdev.config import get_config
from nbdev.test import test_nb
ok, seconds = test_nb(Path(sys.argv[1]), skip_flags=get_config().tst_flags.split(), basepath=get_config().config_path)
sys.exit(not ok)
"""


class Mutant(NamedTuple):
    "One change to one exported cell."
    component: str  # in a word or two
    notebook: str  # under nbs/, without ending
    change: str  # what is wrong afterwards
    old: str  # text that occurs once in the exported cells
    new: str  # what takes its place


def of(component: str, notebook: str, *changes: tuple[str, str, str]) -> list[Mutant]:
    return [Mutant(component, notebook, *change) for change in changes]


MUTANTS = [
    *of("elements", "nn/00_elements",
        ("the free vectors do not start at zero", "nn.init.zeros_(self.free.weight)", "pass"),
        ("a gap is filled from the farthest element of the group", "argmin()]]", "argmax()]]"),
        ("descriptors are not standardised", "(x - x.mean(0)) / x.std(0)", "x - x.mean(0)"),
        ("empty shells have holes", "np.where(filled > 0, 1 - filled, 0)", "1 - filled"),
        ("deep levels are not cut", ".clip(min=_CORE)", ""),
        ("the table is not saved with the weights", "element_descriptors() if descriptors else None)",
         "element_descriptors() if descriptors else None, persistent=False)"),
        ("only the descriptors count", "table = table + self.mlp(self.descriptors)", "table = self.mlp(self.descriptors)")),
    *of("Gaussian expansion", "nn/01_expansion",
        ("the width is half the spacing", "self.width = cutoff / (n - 1)", "self.width = cutoff / (n - 1) / 2"),
        ("the centres do not reach the cutoff", "torch.linspace(0, cutoff, n)", "torch.linspace(0, cutoff - 1, n)"),
        ("a factor of two in the exponent", "/ self.width)**2)", "/ self.width)**2 / 2)"),
        ("the soft edge has a double zero only", "return (1 - x)**3 * series", "return (1 - x)**2 * series"),
        ("the series of the soft edge is one term short", "for k in reversed(range(p))", "for k in reversed(range(p - 1))"),
        ("the soft edge is not held at zero beyond the cutoff", ".clamp(max=1)", "")),
    *of("layer", "data/00_layer",
        ("a wrong mark is believed", "return others[0]", "return marked"),
        ("a mark is overruled without bonds", "or not _bonded_across(numbers, positions, cell, marked): return marked", ": return marked"),
        ("only the vectors of the cell are looked along", "for u in (a, b, a + b, a - b):", "for u in (a, b):"),
        ("the plane is not made of its shortest vectors", "_short_vectors(*cell[:2, :2])", "cell[:2, :2]")),
    *of("CIF", "data/00c_cif",
        ("capitals are not known", "small = m[0].lower().replace", "small = m[0].replace"),
        ("texts of several lines are left", 'text = re.sub(r"(?ms)^;(.*?)^;", quoted, ', "text = ("),
        ("a name is a formula", 'for w in words): continue', "for w in words): pass"),
        ("a formula is not compared", "if not stated or not sum(stated.values()): return False", "return False"),
        ("half an atom twice is one", "if twice and not (_one_each(block) and structure.is_ordered):", "if twice and not structure.is_ordered:"),
        ("a dot is no occupancy", 'if x in ("?", ".")', 'if x == "?"')),
    *of("files of programs", "data/00d_codes",
        ("a vacancy is vanadium", "letters, letters[:-1])[:1 +", "letters, letters[:1])[:2 +"),
        ("symbols behind coordinates in any order", "if [s for s, n in zip(behind, counts) for _ in range(n)] != ends: behind = []", ""),
        ("places that contradict each other", "if any(other != found[0] for other in found):", "if False:"),
        ("celldm(1) in Å", "a = celldm[1] * BOHR or", "a = celldm[1] or"),
        ("angles of ibrav = 14 in the order of the others", "(bc, ac, ab) if ibrav == 14 else", "(ab, ac, bc) if ibrav == 14 else"),
        ("XML in Å", "positions=where * BOHR)", "positions=where)"),
        ("blocks of CASTEP in Å whatever they say", "return (rows[1:], unit) if unit", "return (rows[1:], 1.0) if unit")),
    *of("entries of databases", "data/00e_documents",
        ("the name of a species is its element", "sites = [shares.get(name, {name: 1})", "sites = [{name: 1}"),
        ("cartesian is fractional", "coords_are_cartesian=cartesian)", "coords_are_cartesian=False)"),
        ("names are lost", 'structure.properties = {"id": name} if name else {}', "structure.properties = {}")),
    *of("structures", "data/00a_structure",
        ("1 and 0.2 on a site", " or any(abs(x) > 1e-3 for x in others)", ""),
        ("the last is not marked", "{' (last)' * mark}", ""),
        ("a selection is left out", "if not selection: loads = (", "if True: loads = ("),
        ("selected frames are counted anew", "number, of = load.args[3] or (", "number, of = ("),
        ("ASE may start CASTEP", '(r"(?im)^[ \\t]*%block[ \\t]+(lattice_(abc|cart)', '(r"(?im)^[ \\t]*%black[ \\t]+(lattice_(abc|cart)'),
        ("deuterium is not known", 'r"\\1H", line) for line', 'r"\\1D", line) for line')),
    *of("neighbours", "data/02_neighbors",
        ("half of the edges only", "full_list=True", "full_list=False"),
        ("periodic along the normal too", "(True, True, False)", "(True, True, True)"),
        ("sender and receiver exchanged", "return j.take(order), i.take(order)", "return i.take(order), j.take(order)"),
        ("not sorted by distance", "i * (2 * cutoff) + dist", "i * (2 * cutoff) - dist"),
        ("vectors point the other way", "vec.take(order, 0), dist", "-vec.take(order, 0), dist")),
    *of("k-points", "data/00b_kpoints",
        ("K of vectors 60° apart", "[1 / 3, 1 / 3]", "[2 / 3, 1 / 3]"),
        ("only the cell's own lattice counts", "_MOVED = 0.05", "_MOVED = 1e-9"),
        ("M is forgotten", "_multiple(np.append(corners[:, i], halves[:, i]))", "_multiple(corners[:, i])"),
        ("a hexagonal supercell counts as its layer only", "for v in lattices])\n", "for v in lattices[:1]])\n"),
        ("two directions that differ by a little get different numbers", "if np.ptp(least) < _EQUAL * least.max(): least[:] = least.max()", "pass"),
        ("large cells get six points", "step == 1 or least[i] > step", "True"),
        ("the other corner does not count", "np.asarray(kpoints, float) + corner])", "np.asarray(kpoints, float) - corner])"),
        ("a mesh is shifted the other way", "(np.arange(k) + s) / k", "(np.arange(k) - s) / k")),
    *of("step of a dipole correction", "data/01_profile",
        ("tails are no part of a vacuum", "[np.ones_like(x), x - x.mean(), tails, tails[::-1]]", "[np.ones_like(x), x - x.mean()]"),
        ("a tail is taken for a step", "or not _seen(x, v[inside], middles[k], width, height): continue", "or False: continue"),
        ("only sharp steps", "_RAMPS = (0, 0.5, 1, 1.5, 2, 3, 4)", "_RAMPS = (0,)"),
        ("noise is a step", "max(_MIN_STEP, 5 * sigma / np.sqrt(norm))", "_MIN_STEP"),
        ("a window beyond the layer", "_WIDTH if z[0] < 0 else -np.inf", "-np.inf")),
    *of("bands", "data/01a_levels",
        ("half full is full", "sure = abs(count - n) <= (_BROKEN if electrons is None else 0.01) and", "sure ="),
        ("nothing is said of smearing", "vbm, cbm),)) if partly.any() else {})", "vbm, cbm),)) if False else {})"),
        ("E_F anywhere in a band", "if vbm >= cbm or crossing and far", "if vbm >= cbm"),
        ("a band is where its filling says", "if electrons is None and efermi is not None:", "if False:"),
        ("the number of electrons is not looked at", "electrons if len(spins) == 1 else None", "None"),
        ("hartree of CP2K are eV", 'Fermi energy:\\s+(\\S+)\\s*$", ENERGY_UNITS["Ha"]),', 'Fermi energy:\\s+(\\S+)\\s*$", 1.0),')),
    *of("zero of energy", "data/01c_readers",
        ("a mean is not looked at", "votes = {shifted for shifted, mean in ((False, 0.0), (True, -e)) if abs(p.v.mean() - mean) < _MEAN}", "votes = set()"),
        ("evidence that contradicts itself counts", "return votes.pop() if len(votes) == 1 else None", "return votes.pop() if votes else None"),
        ("band edges keep their zero", "getattr(levels, k)) is None else x - zero", "getattr(levels, k)) is None else x"),
        ("any work function is believed", "(told or _POSSIBLE[0] <= work_function <= _POSSIBLE[1])", "True"),
        ("a header is believed against its numbers", "if told and seen is False: shifted = None", "pass"),
        ("what is not shifted is", " and not re.search(_NO_SHIFT, told)", "")),
    *of("kinds of files", "data/01e_sniff",
        ("a packed HDF5 file is read", "if packing(path) and first.startswith(_HDF5)", "if False"),
        ("a title is a table", " and headed", ""),
        ("text after a table", "and all(rows[start:])", "")),
    *of("k-points in files", "data/01a_levels",
        ("the mesh of Monkhorst and Pack is about Γ", "if kind == \"m\":", "if False:"),
        ("k-points of pw.x in the wrong basis", "np.linalg.inv(self.vectors[-3:])", "np.array(self.vectors[-3:])"),
        ("the second list of pw.x counts too", "self.listing = m[\"list\"].startswith(\"cart\")", "self.listing = True"),
        ("k-points are lost when files are merged", "kpoints=edges.kpoints or first(\"kpoints\", ())", "kpoints=()")),
    *of("doubts about gaps", "data/01d_check",
        ("metals are doubted too", "or not width: return", ": return"),
        ("the normal is always c", "[first % 3, (first + 1) % 3]", "[0, 1]"),
        ("E_F above the gap is not seen", "profile.vbm > _ON_EDGE or profile.cbm < -_ON_EDGE", "profile.vbm > _ON_EDGE")),
    *of("geometry", "data/03_geometry",
        ("no shells", "(dist[1:] - dist[:-1] > _SHELL_GAP) | ", "(dist[1:] > -1) | "),
        ("nothing fades at the cutoff", "fade = t * t * (3 - 2 * t)", "fade = np.ones_like(t)"),
        ("cosines in ascending order", "np.sort(rank[j] + ", "np.sort(rank[j] - "),
        ("rows of equal distance in the order of the file", "np.lexsort((key, d_ij))", "np.lexsort((0 * key, d_ij))"),
        ("missing neighbours at distance zero", "(shell, [cutoff])", "(shell, [0.0])"),
        ("the cutoff of the list is not that of the fading", "np.minimum(cutoff - d_ij, 1)", "np.minimum(8.0 - d_ij, 1)")),
    *of("images", "data/03a_images",
        ("one image counts for all", "y = _sum_harmonics(vec.take(order, 0), dist, new.cumsum() - 1, len(start))",
         "y = _sum_harmonics(vec.take(at, 0), dist[start], np.arange(len(start)), len(start))"),
        ("a harmonic with the wrong sign", '(15, {"xz": 1})', '(15, {"xz": -1})'),
        ("the mean distance is the sum", "/ y[:, 0] if len(start) else dist", "if len(start) else dist")),
    *of("gates", "nn/02_gates",
        ("no sigmoid in the gate", "edge_attr).sigmoid()", "edge_attr)"),
        ("no outer softplus", "return h + softplus(total)", "return h + total"),
        ("no residual", "return h + softplus(total)", "return softplus(total)"),
        ("messages are not weighted", "message = message * weight[:, None]", "pass"),
        ("messages go to the sender", "index_add(0, edge_index[1]", "index_add(0, edge_index[0]"),
        ("sender and receiver share a matrix", "linear(h, w_sender)", "linear(h, w_receiver)"),
        ("the receiver's bias is lost", "linear(h, w_receiver, self.bias)", "linear(h, w_receiver)")),
    *of("attention", "nn/03_attention",
        ("the bias of the diagonal and of far pairs exchanged", "for e in (0 * self_expanded, self_expanded,",
         "for e in (self_expanded, 0 * self_expanded,"),
        ("padding is not masked", "bias.masked_fill(~_real_pairs(batch)[..., None], MASKED)", "bias"),
        ("images are not counted", "(weight * batch.edge_y[:, 0])[:, None]", "weight[:, None]"),
        ("images do not fade", "(weight * batch.edge_y[:, 0])[:, None]", "batch.edge_y[:, :1]"),
        ("an atom does not see itself", "kernel(self_expanded).expand", "(0 * kernel(self_expanded)).expand"),
        ("the kernel is not limited", ".clamp(max=20)", ""),
        ("scores are not scaled", " * q.shape[-1] ** -0.5 + bias", " + bias"),
        ("the bias stands outside the softmax", "** -0.5 + bias).softmax(-1)", "** -0.5).softmax(-1) + bias"),
        ("heads are mixed up", ".permute(2, 0, 3, 1, 4)", ".flip(3).permute(2, 0, 3, 1, 4)"),
        ("the block has no second norm", "self.mlp(self.norm2(h))", "self.mlp(h)"),
        ("the block norms after the attention", "self.attention(self.norm1(h), bias, ptr)", "self.norm1(self.attention(h, bias, ptr))"),
        ("ReLU for GELU", "nn.GELU()", "nn.ReLU()")),
    *of("pooling", "nn/04_pooling",
        ("the 0e branch without its e3nn layer", "torch.cat([self.scalar(a), self.mixed(b)], 1)", "torch.cat([a, self.mixed(b)], 1)"),
        ("projecting to 768", "nn.Linear(dim, 5 * self.n)", "nn.Linear(dim, 6 * self.n)"),
        ("the published pooling takes the mean", 'pooling: str = "sum",  # "sum" as published', 'pooling: str = "mean",  # "sum" as published'),
        ("the mean is a sum", 'return total if how == "sum" else', 'return total if how else'),
        ("vectors are not divided by the root of their number", "return total / (1 + around[:, :, :1]).sqrt()", "return total"),
        ("the receiver does not count", "+ self.receiver(h)[:, :, None] * around[:, :, 1:]", ""),
        ("vectors do not fade", "y = weight[:, None] * batch.edge_y[:, :4]", "y = batch.edge_y[:, :4]"),
        ("the length is not softened", "(u.square().sum(-1) + 1).sqrt()", "(u.square().sum(-1) + 1e-12).sqrt()"),
        ("no gate before the mixing", "(gate[:, :, None] * v)", "v"),
        ("the inner product is that of u with itself", "(u * v).sum(-1) / length", "(u * u).sum(-1) / length"),
        ("the pooled vector is made of v", "self.vector(u.flatten(1))", "self.vector(v.flatten(1))")),
    *of("moments", "nn/04a_moments",
        ("moments do not fade", " * weight[:, None]", ""),
        ("the sender does not count", "self.sender(h).index_select(0, src) * self.radial(expanded)", "self.radial(expanded)"),
        ("degree zero in place of one", "batch.edge_y[:, 1:sum(sizes)]", "batch.edge_y[:, :sum(sizes) - 1]"),
        ("no norm at the end", "return self.norm(torch.cat(list(map(_moment_invariants, a, self.mix)), 1))",
         "return torch.cat(list(map(_moment_invariants, a, self.mix)), 1)"),
        ("the other component", "(a * b).sum(-1) / length(b)", "(a * b).sum(-1) / length(a)"),
        ("mixing with the transpose", '"ncm,dc->ndm"', '"ncm,cd->ndm"')),
    *of("crystal encoder", "nn/05_crystal",
        ("only the first of two gated convolutions", "for gate in self.gates: h", "for gate in self.gates[:1]: h"),
        ("the bias of the first block in both", "for bias, block in zip(biases, self.blocks)", "for bias, block in zip(biases[:1] * 2, self.blocks)"),
        ("messages count images but do not fade", "times = weight if self.config.smooth_cutoff else None", "times = None"),
        ("all images where the nearest was asked for", "if self.config.all_images: times", "if True: times"),
        ("no norm before the pooling", "return self.norm(h)", "return h"),
        ("moments of atoms after the convolutions", "self.moments(self.embed(batch.numbers), batch", "self.moments(self.local(batch, expanded, weight), batch"),
        ("the cutoff is always 8", "smooth_cutoff(batch.edge_dist, self.config.cutoff)", "smooth_cutoff(batch.edge_dist, 8.0)"),
        ("gates start half open", "nn.init.constant_(bias, c.gate_bias)", "pass")),
    *of("ResNet1D", "nn/06_resnet1d",
        ("the residual block without its inner ReLU", "_conv_norm(n_in, n_out, 3, stride), nn.ReLU(), _conv_norm", "_conv_norm(n_in, n_out, 3, stride), _conv_norm"),
        ("no shortcut", "torch.relu(self.f(w) + self.shortcut(w))", "torch.relu(self.f(w) + 0 * self.shortcut(w))"),
        ("no outer ReLU", "return torch.relu(self.f(w) + self.shortcut(w))", "return self.f(w) + self.shortcut(w)"),
        ("one block in each stage", "nn.Sequential(first, BasicBlock(n_out, n_out))", "nn.Sequential(first)"),
        ("the first stage is strided too", "stride=2 if len(self.stages) else 1", "stride=2"),
        ("the stem has no ReLU", "_conv_norm(1, widths[0], 7, 2), nn.ReLU(), nn.MaxPool2d", "_conv_norm(1, widths[0], 7, 2), nn.MaxPool2d"),
        ("the largest in place of the mean at the end", ".mean((2, 3)))", ".amax((2, 3)))"),
        ("gradients of the taps in reverse", "torch.stack(taps, 1)", "torch.stack(taps[::-1], 1)")),
    *of("loss", "nn/07_loss",
        ("one direction only", "(cross_entropy(by_profile, target) + cross_entropy(by_crystal, target)) / 2", "cross_entropy(by_profile, target)"),
        ("twice as large", "cross_entropy(by_crystal, target)) / 2", "cross_entropy(by_crystal, target))"),
        ("under autocast as it comes", "enabled=False", "enabled=True"),
        ("the scale may exceed 100", "clamp_(0, math.log(100))", "clamp_(0, math.log(1000))"),
        ("the scale may fall below 1", "clamp_(0, math.log(100))", "clamp_(-1, math.log(100))"),
        ("a start at another temperature", "torch.tensor(-math.log(tau))", "torch.tensor(math.log(tau))")),
    *of("heads", "nn/08_heads",
        ("the step is along x", "v[:, 2]", "v[:, 0]"),
        ("means are not added", "(self.net(z_cry) * self.std + self.mean)", "(self.net(z_cry) * self.std)"),
        ("the profile is not compared with its mirror image", 'if name == "profile": loss', 'if name == "": loss'),
        ("unknown targets count", "known = ~target.isnan()", "known = torch.ones_like(target, dtype=torch.bool)"),
        ("an error is not divided by its deviation", "(predicted - target) / scale, 0", "predicted - target, 0"),
        ("a target is divided by all materials", "total = total + loss.sum() / n", "total = total + loss.mean()"),
        ("a tiny deviation is not held", "std.clamp(min=max(float(std.max()) / 10, 1e-6))", "std.clamp(min=1e-6)"),
        ("a step with its sign for |step|", 'target["step"].abs()', 'target["step"]')),
    *of("towers", "nn/09_clip",
        ("crystals are embedded by the head of the profiles", "normalize(self.crystal_head(z).float(), dim=1)", "normalize(z.float(), dim=1)"),
        ("embeddings are not of unit length", "normalize(self.profile_head(self.profile(profiles)).float(), dim=1)", "self.profile_head(self.profile(profiles)).float()"),
        ("the temperature is not used", "self.temperature(), distributed", "1.0, distributed"),
        ("heads are not standardised", "self.heads.scale(), distributed", "None, distributed"),
        ("the heads' weight is left out", "contrast + self.model.config.joint_weight * heads", "contrast + heads"),
        ("half precision is not given back", "t.half() if half and", "t.half() if")),
    *of("profile", "data/01_profile",
        ("the work function is that of the upper face", "return (self.phi_top + self.phi_bottom) / 2 - self.efermi", "return self.phi_top - self.efermi"),
        ("a flip keeps the plateaus", "phi_top=self.phi_bottom, phi_bottom=self.phi_top)", "phi_top=self.phi_top, phi_bottom=self.phi_bottom)"),
        ("a flip does not turn the heights", "z=-self.z[::-1]", "z=self.z"),
        ("beyond the data the plateaus are exchanged", "left=self.phi_bottom, right=self.phi_top", "left=self.phi_top, right=self.phi_bottom"),
        ("the step has the other sign", "return self.phi_top - self.phi_bottom", "return self.phi_bottom - self.phi_top"),
        ("band edges are not moved with the zero", '("phi", "phi_top", "phi_bottom", "vbm", "cbm", "efermi")', '("phi", "phi_top", "phi_bottom", "efermi")'),
        ("the cell is cut in its middle", "k = np.arange(cut, cut + n)", "k = np.arange(n // 2, n // 2 + n)")),
    *of("recipe", "00_config",
        ("the published batch follows ours", 'batch_size=64, batches="exact", lr=1e-4', 'batches="exact", lr=1e-4'),
        ("the published batches are equal", 'batches="exact", lr', 'batches="equal", lr'),
        ("a change by name is not taken", "return cls(**_PAPER_RECIPE | changes)", "return cls(**changes | _PAPER_RECIPE)"),
        ("any word for batches", 'if self.batches not in ("equal", "exact")', "if False")),
    *of("training", "10_train",
        ("batches are always equal", "if exact else parts", "if False else parts"),
        ("the recipe's batches are not asked for", 't.batches == "exact")', "False)"),
        ("a pair alone is a batch", "processes == rows % whole == 1", "processes == 0"),
        ("only NaN stops a training", "if not math.isfinite(loss)", "if math.isnan(loss)"),
        ("a validation may be NaN", '_check_loss(trainer, "validation loss"', '0 and _check_loss(trainer, "validation loss"'),
        ("the batch before is named", "for (index, _), loss in zip(batches, mean.tolist())", "for (index, _), loss in zip(batches[1:], mean.tolist())"),
        ("the best model is lost with the rest", "if kept: on_first", "if False: on_first"),
        ("the start does not compete", "trainer.best, trainer.best_state = found[\"val_loss\"], trainer.weights()", "pass"),
        ("a resumed run forgets its start", "records = known if trainer.epoch", "records = known[1:] if trainer.epoch"),
        ("a recall beside NaN", "out.p_prof is not None and math.isfinite(contrast)", "out.p_prof is not None")),
    *of("teaching", "09b_teach",
        ("the mean of a layer is a sum", "/ np.diff(ptr)[:, None]", ""),
        ("the lowest value is the highest", "np.minimum.reduceat(features, first, axis=0)", "np.maximum.reduceat(features, first, axis=0)"),
        ("the unit of a feature is its spread over all lessons", "_Scale.of(lessons.features[:self.ptr[n]])", "_Scale.of(lessons.features)"),
        ("layers kept apart are taught", "np.flatnonzero(~kept)", "np.arange(len(kept))"),
        ("what is unknown has no unit", " / true.var(0, correction=0).clamp(min=1e-9)", ""),
        ("no warm-up", "min(1, (step + 1) / self.warmup) * ", ""),
        ("the optimizer forgets when it goes on", "optimizer.load_state_dict(optimizer.state_dict() | dict(state=moments))", "pass"),
        ("another teaching is continued", "if header[\"about\"] != about:", "if False:"),
        ("the tower is taught from the first step on", "requires_grad_(step >= t.readout)", "requires_grad_(True)"),
        ("a tower that goes on begins anew", "student.crystal.load_state_dict(read_taught(start).state_dict())", "read_taught(start)")),
    *of("calibration", "10b_calibrate",
        ("the rank is one too low", "return float(known[rank - 1])", "return float(known[rank - 2])"),
        ("what is near narrows the interval", ".clamp(1, 30)", ".clamp(0, 30)"),
        ("the second distance does not count", "** torch.tensor(powers)).prod(1)", "** torch.tensor(powers))[:, 0]"),
        ("all members are one", "middle = said[fold[known]]", "middle = said.mean(0).expand(int(known.sum()), -1)"),
        ("the lower end is the upper end's mirror", "-(reach - middle).kthvalue(rank, 0).values", "-(reach + middle).kthvalue(rank, 0).values"),
        ("steps are measured in eV", "(_step_unit(predicted) if energy == \"step\" else 1)", "1"),
        ("the chance of a metal stays as it was said", "return (self.logit[0] * said.logit(1e-6) + self.logit[1]).sigmoid()", "return said"),
        ("typicality counts the more similar ones", "self.unlike[None, :, 0] < similarity", "self.unlike[None, :, 0] > similarity")),
    *of("cross-validation", "11a_crossval",
        ("a material may be left out twice", "if len(np.unique(order)) < len(order)", "if False"),
        ("computed values in the order of the dataset", "{k: t[order] for k, t in truth.items()}", "{k: t[:len(order)] for k, t in truth.items()}"),
        ("stored predictions beside the values of others", "{k: t[rows] for k, t in computed_energies", "{k: t[:len(rows)] for k, t in computed_energies"),
        ("every layer is polar", "polar = true.abs() > POLAR", "polar = true.abs() > 0"),
        ("the wrong face is the right one", "(step.sign() == true.sign())", "(step.sign() != true.sign())"),
        ("the gallery is the whole fold", "rng.permutation(len(s))[:gallery]", "rng.permutation(len(s))"),
        ("the widest intervals are the best", "(min(inside, wanted), -width, pair)", "(min(inside, wanted), width, pair)"),
        ("materials judge themselves", "scores[calibration.fold != k]", "scores")),
    *of("evaluation", "11_evaluate",
        ("NaN is ranked first", "if not np.isfinite(similarity).all()", "if False"),
        ("infinity is ranked", "if not np.isfinite(similarity).all()", "if np.isnan(similarity).any()"),
        ("heads may say NaN", "(features.p_cry, p_prof, *features.properties.values())", "(features.p_cry, p_prof)"),
        ("profiles may be NaN", "(features.p_cry, p_prof, *features.properties.values())", "(features.p_cry, *features.properties.values())"),
        ("ties count as hits", "((similarity == own).sum(1) - 1) / 2", "0")),
    *of("what is known", "12d_known",
        ("a layer is only looked at with one side up", "for up in (1, -1):", "for up in (1,):"),
        ("the faces are not exchanged", "value |= {k: value[other] for k, other in _FLIPPED.items()} | dict(step=-value[\"step\"])", "pass"),
        ("the step keeps its sign", "| dict(step=-value[\"step\"])", ""),
        ("the elements do not count", "+ 1e6 * (b.numbers[:, None] != a.numbers)", ""),
        ("the strain is that of the other layer", "if swapped: first, second = 1 / (1 + second) - 1, 1 / (1 + first) - 1", "pass"),
        ("the mean offset stays", "return off - off.mean(2, keepdims=True)", "return off"),
        ("only one atom is tried as a start", "a.planar[a.numbers == rare, None]", "a.planar[a.numbers == rare, None][:1]"),
        ("a lattice is not reduced", "lattice = _reduced(layer.cell[:2, :2])", "lattice = layer.cell[:2, :2]"),
        ("the farther of two materials is taken", "nearest = min(m.distance", "nearest = max(m.distance"),
        ("the forces do not decide between twins", "key=lambda pair: force(pair[1])", "key=lambda pair: -force(pair[1])"),
        ("a thick layer is no other one", "abs(a.thickness - b.thickness) > 2 * most", "abs(a.thickness - b.thickness) > most / 2"),
        ("the first match is taken for the best", "if best and best.distance <=", "if best and 0 <="),
        ("any match takes the place of a better one", "if best is None or found.distance + 1e-4 < best.distance: best = found", "best = found"),
        ("heights do not count", "z = np.broadcast_to(up * b.height[:, None] - a.height, xy.shape[:-1])", "z = np.zeros(xy.shape[:-1])")),
    *of("prediction", "12_predict",
        ("the computed values replace the predicted ones", "+ _levels(p, \" \" if", "+ _levels(p.known or p, \" \" if"),
        ("the computed line shows the prediction", "+ _levels(p.known)", "+ _levels(p)"),
        ("metal and insulator are exchanged", "p.metal is not None and p.metal >= .5", "p.metal is not None and p.metal < .5"),
        ("the mark of the forces is left out", "{p.known.distance}{_force_mark(p.known.fmax)}", "{p.known.distance}"),
        ("what is known is not written to tables", "return row | _known_columns(p.known) | dict(", "return row | _known_columns(None) | dict("),
        ("forces of neighbours are not told", "s, mean[i], fmax(i)", "s, mean[i], None"),
        ("a run of other data looks at the bundled ones", "about.get(\"name\") == \"dft2d\" else about.get(\"path\", \"\")", "True else \"\"")),
    *of("index", "12g_embed",
        ("the forces of a dataset are not kept", "for k in (*_LEVELS, \"fmax\")} | dict(", "for k in _LEVELS} | dict(")),
    *of("index", "12b_material_index",
        ("an index without forces is refused", "_COLUMNS.keys() - layout - {\"fmax\"}", "_COLUMNS.keys() - layout")),
    *of("search", "13_search",
        ("forces are not marked", "\" !\" * c.unseen + _force_mark(c.fmax)", "\" !\" * c.unseen"),
        ("the mark of the forces is not explained", "if any(_force_mark(c.fmax) for c in found): yield _FORCE_NOTE", "")),
]


def export(scratch: Path) -> None:
    subprocess.run([sys.executable, "-c", "from nbdev.doclinks import nbdev_export; nbdev_export()"], cwd=scratch, check=True,
                   capture_output=True)


def make_scratch(folder: Path) -> Path:
    "A copy of the notebooks and the package; what is large and not changed is linked."
    shutil.copytree(ROOT / "nbs", folder / "nbs", ignore=shutil.ignore_patterns(".*", "_*.ipynb"))
    large = shutil.ignore_patterns("__pycache__", "weights", "examples", "*.safetensors")
    shutil.copytree(ROOT / "wfclip", folder / "wfclip", ignore=large)
    for name in ("weights", "examples", "data/dft2d.safetensors"): (folder / "wfclip" / name).symlink_to(ROOT / "wfclip" / name)
    (folder / "examples").symlink_to(ROOT / "wfclip/examples")
    for name in ("settings.ini", "pyproject.toml", "setup.py", "_quarto.yml", "README.md"): shutil.copy(ROOT / name, folder / name)
    return folder


def apply(scratch: Path, mutant: Mutant) -> Path:
    "Make a change, export it, and give the notebook; ValueError unless the text occurs once."
    path = scratch / f"nbs/{mutant.notebook}.ipynb"
    notebook = json.loads((ROOT / f"nbs/{mutant.notebook}.ipynb").read_text(encoding="utf-8"))
    found = 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or not source.startswith("#| export") or mutant.old not in source: continue
        found += source.count(mutant.old)
        cell["source"] = source.replace(mutant.old, mutant.new).splitlines(keepends=True)
    if found != 1: raise ValueError(f"{mutant.notebook}: {mutant.old!r} occurs {found} times; mend tools/mutants.py.")
    path.write_text(json.dumps(notebook), encoding="utf-8")
    export(scratch)
    return path


def is_caught(scratch: Path, mutant: Mutant | None, notebook: str) -> bool:
    "Whether the notebook fails with the change (None: without one)."
    path = scratch / f"nbs/{notebook}.ipynb"
    if mutant: apply(scratch, mutant)
    env = os.environ | dict(PYTHONPATH=str(scratch), OMP_NUM_THREADS="1", MPLBACKEND="agg", PYTHONDONTWRITEBYTECODE="1")
    try: code = subprocess.run([sys.executable, "-c", RUN, path], cwd=path.parent, env=env, capture_output=True, timeout=300).returncode
    except subprocess.TimeoutExpired: code = 1
    if mutant:  # back to what it was
        shutil.copy(ROOT / f"nbs/{notebook}.ipynb", path)
        export(scratch)
    return code != 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("components", nargs="*", metavar="COMPONENT", help="default: all")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="notebooks at a time")
    args = parser.parse_args()
    chosen = [m for m in MUTANTS if not args.components or m.component in args.components]
    with tempfile.TemporaryDirectory() as folder:
        own = local()
        def scratch() -> Path:
            if not hasattr(own, "path"): own.path = make_scratch(Path(tempfile.mkdtemp(dir=folder)))
            return own.path
        def whole(notebook: str) -> bool: return not is_caught(scratch(), None, notebook)
        def run(mutant: Mutant) -> dict:
            row = dict(component=mutant.component, change=mutant.change, notebook=mutant.notebook,
                       caught=is_caught(scratch(), mutant, mutant.notebook))
            print(f"{'caught' if row['caught'] else 'SURVIVED':8}  {mutant.component:18}  {mutant.change}", flush=True)
            return row
        with ThreadPoolExecutor(args.j) as pool:
            notebooks = list(dict.fromkeys(m.notebook for m in chosen))
            broken = [n for n, ok in zip(notebooks, pool.map(whole, notebooks)) if not ok]
            if broken: sys.exit(f"these fail without any change: {', '.join(broken)}")
            rows = list(pool.map(run, chosen))
    survived = sum(not row["caught"] for row in rows)
    print(f"{len(rows)} changes, {survived} survived")
    if not args.components: RESULT.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(survived > 0)


if __name__ == "__main__":
    main()
