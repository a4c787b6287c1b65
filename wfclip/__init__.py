__version__ = "0.1.0"

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wfclip.config import WFClipConfig
    from wfclip.data.dataset import example_path, load_dataset
    from wfclip.data.profile import read_profile
    from wfclip.data.structure import read_layer
    from wfclip.nn.clip import WFClip

__all__ = ["WFClip", "WFClipConfig", "example_path", "load_dataset", "read_layer", "read_profile"]

_MODULE = dict(WFClip="nn.clip", WFClipConfig="config", example_path="data.dataset", load_dataset="data.dataset",
               read_layer="data.structure", read_profile="data.profile")
_SUBMODULES = ("bank", "blend", "calibrate", "cli", "config", "data", "evaluate", "nn", "plot", "predict", "search",
               "train")


def __getattr__(name: str):
    "Import a public name or a submodule when it is first asked for, so that `import wfclip` stays cheap."
    if name in _MODULE: return getattr(import_module(f"wfclip.{_MODULE[name]}"), name)
    if name in _SUBMODULES: return import_module(f"wfclip.{name}")
    raise AttributeError(f"module 'wfclip' has no attribute {name!r}")


def __dir__(): return sorted({*globals(), *__all__, *_SUBMODULES})
