"""One thread per test process: the tests run in parallel, and results do not depend on the number of cores."""
import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("MPLBACKEND", "agg")
