"""How well the teacher's own features regress the work function, on the folds of the shipped ensemble.

    python benchmarks/teacher_features.py LESSONS.npz

LESSONS are those of the bundled layers, in their order (tools/build_teacher.py bundled, then sevennet). The features of
a layer are the mean, lowest and highest value over its atoms and the mean of both faces' outermost atoms; half gradient
boosting, half a support vector machine. Writes nbs/results/teacher.json.
"""
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from wfclip.data.dataset import FOLDS, load_dataset
from wfclip.evaluate import error_metrics
from wfclip.teach import _of_layers, read_lessons

OUT = Path(__file__).parent.parent / "nbs/results/teacher.json"


def main(path: str) -> None:
    data, lessons = load_dataset(), read_lessons(path)
    assert all((a.numbers == b.numbers).all() for a, b in zip(lessons.layers, data.layers())), "these are not the bundled layers"
    ptr = np.cumsum([0, *map(len, lessons.layers)])
    x = lessons.features[:, :-1].astype(float)  # without the energy of the site
    face = lambda z: ((z > z.max() - .5) / (z > z.max() - .5).sum() + (z < z.min() + .5) / (z < z.min() + .5).sum()) / 2
    outer = np.stack([face(layer.positions[:, 2]) @ x[a:b] for layer, a, b in zip(lessons.layers, ptr, ptr[1:])])
    x = np.hstack([_of_layers(x, ptr), outer])
    y = np.asarray(data.properties["work_function"])
    found = {}
    for kind, by in (("composition", "formula"), ("prototype", "prototype")):
        splits = [data.split(by, 42, fold=k) for k in range(1, FOLDS + 1)]
        made = []
        for s in splits:
            train = np.concatenate([s.train, s.val])  # nothing is chosen
            boosted = HistGradientBoostingRegressor(max_iter=400, learning_rate=.05, random_state=0).fit(x[train], y[train])
            vectors = make_pipeline(StandardScaler(), SVR(C=10, gamma=.3 / x.shape[1], epsilon=.05)).fit(x[train], y[train])
            made.append((boosted.predict(x[s.test]) + vectors.predict(x[s.test])) / 2)
        true = np.concatenate([y[s.test] for s in splits])
        found[kind] = error_metrics(np.concatenate(made), true) | dict(folds=[error_metrics(p, y[s.test])["MAE"] for p, s in zip(made, splits)])
        print(kind, found[kind], flush=True)
    OUT.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__": main(*sys.argv[1:])
