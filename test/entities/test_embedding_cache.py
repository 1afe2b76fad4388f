"""The cache of embeddings: what was put comes out, or nothing does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.entities.text.cache import EmbeddingCache, default_cache_folder

KEY = ("encoder abc", "{}", "car")
VECTOR = np.array([0.6, -0.8, 0.0], np.float32)


def test_a_key_is_all_of_encoder_template_and_text(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    assert cache.get(*KEY, 3) is None
    cache.put(*KEY, VECTOR)
    found = cache.get(*KEY, 3)
    np.testing.assert_array_equal(found, VECTOR)
    found[0] = 5.0  # one's own
    np.testing.assert_array_equal(EmbeddingCache(tmp_path).get(*KEY, 3), VECTOR)
    for other in (("other", "{}", "car"), ("encoder abc", "a {}", "car"), (*KEY[:2], "Car")):
        assert cache.get(*other, 3) is None
    assert cache.get(*KEY, 4) is None


def test_an_entry_under_another_name_is_none(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    cache.put(*KEY, VECTOR)
    cache.put(*KEY[:2], "truck", VECTOR[::-1])
    first, second = (path for path in tmp_path.rglob("*") if path.is_file())
    first.write_bytes(second.read_bytes())
    kept = [cache.get(*KEY[:2], name, 3) for name in ("car", "truck")]
    assert sum(found is None for found in kept) == 1


@given(st.one_of(st.binary(max_size=60), st.integers(0, 351)))
def test_whatever_an_entry_holds_it_is_right_or_none(change: bytes | int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = EmbeddingCache(Path(folder))
        cache.put(*KEY, VECTOR)
        (path,) = (path for path in Path(folder).rglob("*") if path.is_file())
        content = bytearray(path.read_bytes())
        if isinstance(change, bytes):
            path.write_bytes(change)
        else:
            content[change // 8] ^= 1 << change % 8
            path.write_bytes(content)
        assert cache.get(*KEY, 3) is None
        cache.put(*KEY, VECTOR)
        np.testing.assert_array_equal(cache.get(*KEY, 3), VECTOR)


def test_the_folder_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "egmt_ros" / "text"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache_folder() == Path.home() / ".cache" / "egmt_ros" / "text"
