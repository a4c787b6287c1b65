"""Work that is killed leaves no torn file, and done again it gives the bytes of an undisturbed run."""
import os

import pytest
from kills import KINDS, points, prepare, try_one, undisturbed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("kills"))


@pytest.mark.parametrize("kind", KINDS)
def test_killed(kind, here):
    whole, count, seconds = undisturbed(kind, here)
    assert not [wrong for point in points(count, seconds, 4) if (wrong := try_one(kind, here, whole, **point))]
