__version__ = "0.2.0"

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wfclip.config import WFClipConfig
    from wfclip.data.dataset import example_path, load_dataset
    from wfclip.data.check import read_profile
    from wfclip.data.structure import read_layer
    from wfclip.features import WFClipFeaturizer
    from wfclip.nn.clip import WFClip
    from wfclip.predict import Predictor

__all__ = ["Predictor", "WFClip", "WFClipConfig", "WFClipFeaturizer", "example_path", "load_dataset", "read_layer", "read_profile"]

_MODULE = dict(Predictor="predict", WFClip="nn.clip", WFClipConfig="config", WFClipFeaturizer="features", example_path="data.dataset",
               load_dataset="data.dataset", read_layer="data.structure", read_profile="data.check")


def _submodules() -> set[str]: return {m.name for m in iter_modules(__path__) if not m.name.startswith("_")}


def __getattr__(name: str):
    "Import a public name or a submodule when it is first asked for, so that `import wfclip` stays cheap."
    if name in _MODULE: return getattr(import_module(f"wfclip.{_MODULE[name]}"), name)
    if not name.startswith("_") and name in _submodules(): return import_module(f"wfclip.{name}")
    raise AttributeError(f"module 'wfclip' has no attribute {name!r}")


def __dir__(): return sorted({*globals(), *__all__, *_submodules()})
