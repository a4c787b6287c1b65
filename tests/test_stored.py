"""What wfclip has written itself, damaged: every command does its work or says in one sentence what is wrong."""
from collections import Counter

import pytest
from stored import KINDS, prepare, try_one


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("stored"))


@pytest.mark.parametrize("kind", KINDS)
def test_damaged(work, kind):
    found = sum((try_one(kind, number, work) for number in range(38)), Counter())
    assert found["refused"] > 5 and found.total() == 38
