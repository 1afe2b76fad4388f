"""Files with embeddings, which take the place of a text encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.embedding_file import EmbeddingFile, read_embedding_file

ROWS = np.eye(2, 5, dtype=np.float32)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    made = EmbeddingFile(("dog", "traffic light"), ROWS, "encoder", "a {}")
    made.write(tmp_path / "new" / "words.npz")
    held = read_embedding_file(tmp_path / "new" / "words.npz")
    assert (held.names, held.name, held.template, held.width) == (made.names, "encoder", "a {}", 5)
    assert held.vocabulary_hash == made.vocabulary_hash
    assert held.knows("dog") and not held.knows("cat")
    np.testing.assert_array_equal(held.embed(["traffic light", "dog", "dog"]), ROWS[[1, 0, 0]])
    with pytest.raises(ConfigError, match="holds no 'cat', only dog, traffic light; .*embed"):
        held.embed(["dog", "cat"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["words.npz"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names": np.array(["dog", "dog"])}, "expected different texts"),
        ({"names": np.array([1, 2])}, "expected different texts"),
        ({"names": np.array(["dog"])}, "a row for each of the 1 names"),
        ({"embeddings": ROWS.astype(np.float64)}, "float64, expected float32"),
        ({"embeddings": 2 * ROWS}, "not of unit length"),
        ({"embeddings": ROWS * np.nan}, "not of unit length"),
        ({"template": np.array(3)}, "expected texts"),
        ({"text_encoder": np.array(["a", "b"])}, "cannot be read"),
        ({"names": np.array(["dog", None], object)}, "cannot be read"),
    ],
)
def test_files_that_hold_something_else(tmp_path: Path, changes: dict, words: str) -> None:
    values = {
        "names": np.array(["dog", "cat"]),
        "embeddings": ROWS,
        "text_encoder": np.array("encoder"),
        "template": np.array("{}"),
    }
    path = tmp_path / "words.npz"
    np.savez(path, **(values | changes))
    with pytest.raises(ConfigError, match=f"words.npz.*{words}.*egmt annotate embed"):
        read_embedding_file(path)


def test_no_such_file_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.npz does not exist; .*egmt annotate embed"):
        read_embedding_file(tmp_path / "none.npz")
    path = tmp_path / "words.npz"
    for content in (b"", b"PK\x03\x04 no archive", b"\x93NUMPY", b"text"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="cannot be read"):
            read_embedding_file(path)
    np.savez(path, names=np.array(["dog"]))
    with pytest.raises(ConfigError, match="cannot be read .*embeddings"):
        read_embedding_file(path)
