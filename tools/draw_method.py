"""Draw the method stage by stage, with the shape of each tensor: python tools/draw_method.py writes nbs/images/method.svg

The sizes are those of `WFClipConfig()`, read from it. The same code gives the same bytes.
"""
from pathlib import Path

from draw_towers import BLUE, GREEN, INK, SOFT, arrow, box, crystal, matrix, page, profile, text

from wfclip.config import WFClipConfig

OUT = Path(__file__).parent.parent / "nbs/images/method.svg"
PURPLE, WIDE, SIZE = "#7b3fa0", 300, 16
LEFT, RIGHT = 210, 580  # middles of the two columns
c = WFClipConfig()
MOMENTS = 2 * 3 * c.moments


def stage(x: float, y: float, title: str, note: str, color: str, w: int = WIDE) -> str:
    "A box around the middle x, its upper edge at y, 54 high."
    return box(x - w // 2, y, title, note, color, w, 54, SIZE)


def shape(x: float, y: float, s: str, anchor: str = "start") -> str:
    "A tensor's name and shape beside an arrow."
    return f'<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace">{text(x, y, s, 13, INK, anchor)}</g>'


def flow(x: float, y: float, s: str, length: int = 36) -> str:
    "An arrow down from y with the shape of what it carries."
    return arrow(x, y, x, y + length - 3) + shape(x + 10, y + length / 2 + 3, s)


def crystal_tower() -> list[str]:
    "From elements and positions to z and v."
    return [text(LEFT, 36, "crystal structure", SIZE + 1, BLUE, bold=True), crystal(LEFT - 45, 80),
            flow(LEFT, 112, "elements, positions, cell"),
            stage(LEFT, 150, "crystal graph", f"neighbours within {c.cutoff:g} Å, every periodic image", BLUE),
            arrow(115, 204, 115, 239), shape(123, 226, "numbers [N]"), arrow(305, 204, 305, 239), shape(313, 226, "edges [2,E]"),
            stage(115, 242, "element embedding", "and descriptors", BLUE, 180),
            stage(305, 242, "Gaussian expansion", "and smooth cutoff", BLUE, 180),
            arrow(115, 296, 115, 331), shape(123, 318, f"h [N,{c.atom_dim}]"),
            arrow(305, 296, 305, 331), shape(313, 318, f"e_k [E,{c.n_gaussians}]"),
            stage(LEFT, 334, "gated convolution, twice", "each atom hears its neighbours", BLUE),
            flow(LEFT, 388, f"h [N,{c.atom_dim}]"),
            stage(LEFT, 426, "fusion with local geometry", f"{MOMENTS} invariant moments of each atom's surroundings", BLUE, 340),
            flow(LEFT, 480, f"h [N,{c.dim}]"),
            stage(LEFT, 518, "Transformer block, twice", f"{c.n_heads} heads, bias of every image inside the softmax", BLUE, 340),
            flow(LEFT, 572, f"h [N,{c.dim}]"),
            stage(LEFT, 610, "equivariant pooling", "scalars 0e and edge vectors 1o, mean over atoms", BLUE, 340)]


def profile_tower() -> list[str]:
    "From a profile to z."
    stages = [(f"φ(z) [B,{c.profile_length}]", "flip at random", "in training only: mirror images are one"),
              (f"φ(z) [B,{c.profile_length}]", "1D ResNet", "stem and stages 64, 128, 256, 512"),
              (f"[B,512,{-(-c.profile_length // 32)}]", "average over z", "and a linear layer")]
    parts = [text(RIGHT, 36, "work function profile", SIZE + 1, GREEN, bold=True), profile(RIGHT - 70, 52, 140, 90)]
    for top, start, (carried, title, note) in zip((246, 428, 610), (152, 300, 482), stages):
        parts += [flow(RIGHT, start, carried, top - start), stage(RIGHT, top, title, note, GREEN, 250)]
    return parts


def plain(x: float, y: float, title: str, color: str, w: int) -> str:
    "A box without a note, 40 high."
    return box(x, y, title, "", color, w, 40, SIZE)


def contrast() -> list[str]:
    "From both towers to the similarity matrix and its loss."
    d = f"[B,{c.dim}]"
    return [arrow(320, 664, 320, 718), shape(328, 690, f"z {d}"), plain(225, 721, "linear, length 1", BLUE, 190),
            arrow(RIGHT, 664, RIGHT, 718), shape(RIGHT + 10, 690, f"z {d}"), plain(485, 721, "linear, length 1", GREEN, 190),
            arrow(360, 761, 415, 814), shape(364, 803, f"p {d}", "end"), arrow(540, 761, 497, 814), shape(534, 803, f"p {d}"),
            matrix(400, 819), text(457, 955, "similarities [B,B], over τ", SIZE - 2, SOFT), arrow(457, 963, 457, 985),
            plain(360, 988, "cross-entropy, both ways", PURPLE, 220)]


def regression() -> list[str]:
    "What else the crystal must predict, and the sum of both losses."
    targets = "from z: work function, |step|,", "band edges, profile, density", "of states; from v: step with sign"
    return [arrow(100, 664, 100, 803), shape(108, 690, "z, v [B,3]"), plain(20, 806, "property heads", BLUE, 200),
            *(text(24, 869 + 21 * k, s, SIZE - 2, INK, "start") for k, s in enumerate(targets)), arrow(120, 921, 120, 985),
            plain(20, 988, "smooth L1 on seven targets", PURPLE, 240),
            text(310, 1014, f"· {c.joint_weight:g}  +", SIZE, PURPLE, bold=True),
            text(600, 1014, "= loss", SIZE, PURPLE, "start", True)]


if __name__ == "__main__":
    OUT.write_text(page(740, 1045, "From structure and profile to the loss, with the shape of each tensor",
                        crystal_tower() + profile_tower() + contrast() + regression()), encoding="utf-8")
    print(OUT)
