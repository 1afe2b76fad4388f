"""Bags that are cut, damaged or none at all: what can be read is, and the rest is named."""

from __future__ import annotations

import shutil
import sqlite3
import zipfile
from pathlib import Path

import pytest

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import IMAGE
from egmt_ros.evaluation.bags.bag_writer import write_bag

T0, STEP = 1_700_000_000_000_000_000, 100_000_000  # as in bag_files.py
WARM, SEEN, NAMES = "/thermal/image_raw", "/visible/image_raw", "/names"


def read_partly(path: Path) -> tuple[list[int], str]:
    """Stamps of the messages that come, and the error after them."""
    with BagSource(path) as bag:
        stamps = []
        with pytest.raises(BagError) as caught:
            for record in bag:
                bag.deserialize(record.data, record.msgtype)
                stamps.append(record.stamp)
        assert bag.damage
        assert [r.stamp for r in bag.messages(partial=True)] == stamps
        return stamps, str(caught.value)


@pytest.fixture(scope="module")
def several_chunks(tmp_path_factory, made) -> Path:
    path = tmp_path_factory.mktemp("bags") / "chunks"
    write_bag(path, made.few_messages(12, (240, 320)))
    return path


@pytest.mark.parametrize("keep", [0.1, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("compress", [False, True])
def test_cut_mcap_is_read_as_far_as_it_goes(tmp_path, made, keep, compress):
    messages = made.few_messages(12, (240, 320))
    write_bag(tmp_path / "bag", messages, compress=compress)
    file = tmp_path / "bag/bag.mcap"
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    whole = [m.stamp for m in messages]
    for path in (tmp_path / "bag", file):
        stamps, error = read_partly(path)
        assert stamps == whole[: len(stamps)]
        assert "read in part" in error and "mcap recover" in error
        assert len(stamps) >= int(len(whole) * keep) - (4 if compress else 2)
        with BagSource(path) as bag:
            assert bag.damage and bag.count == len(stamps)
            assert (bag.start, bag.end) == (stamps[0], stamps[-1])
            window = list(bag.messages(stop=bag.end))  # lacks nothing, so no error
            assert len(window) == len(stamps) - 1


@pytest.mark.parametrize("lost", [5, 40, 200])
def test_only_the_index_is_cut_off(tmp_path, several_chunks, lost):
    data = next(several_chunks.glob("*.mcap")).read_bytes()
    (tmp_path / "a.mcap").write_bytes(data[:-lost])
    with BagSource(tmp_path / "a.mcap") as bag:
        assert len(list(bag)) == bag.count == 25 and bag.damage is None


@pytest.mark.parametrize("keep", [0, 5, 9, 60])
def test_mcap_of_which_nothing_is_left(tmp_path, several_chunks, keep):
    data = next(several_chunks.glob("*.mcap")).read_bytes()
    (tmp_path / "a.mcap").write_bytes(data[:keep])
    with pytest.raises(BagError, match="a.mcap cannot be read"):
        BagSource(tmp_path / "a.mcap")


def test_killed_recording_is_read_without_metadata(tmp_path, several_chunks):
    shutil.copytree(several_chunks, tmp_path / "bag")
    (tmp_path / "bag/metadata.yaml").unlink()
    with BagSource(tmp_path / "bag") as bag:
        assert bag.count == 25 and bag.damage is None
    file = tmp_path / "bag/chunks.mcap"
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    stamps, error = read_partly(tmp_path / "bag")
    assert 8 < len(stamps) < 25 and "was its recording interrupted?" in error


def test_zeros_behind_the_last_record(tmp_path, several_chunks):
    data = next(several_chunks.glob("*.mcap")).read_bytes()
    half = len(data) // 2
    (tmp_path / "a.mcap").write_bytes(data[:half] + bytes(len(data)))  # as after a loss of power
    stamps, error = read_partly(tmp_path / "a.mcap")
    assert len(stamps) >= 5 and "there is no record at byte" in error


def test_a_broken_chunk_costs_only_its_messages(tmp_path, made):
    chunks = [
        made.mcap_chunk(made.mcap_message(T0 + i, i), crc=7 if i == 1 else 0) for i in range(3)
    ]
    file = tmp_path / "a.mcap"
    file.write_bytes(made.mcap_head() + b"".join(chunks) + made.mcap_end())
    stamps, error = read_partly(file)
    assert stamps == [T0, T0 + 2] and "checksum" in error


def test_a_broken_chunk_that_the_index_names(tmp_path, several_chunks):
    shutil.copytree(several_chunks, tmp_path / "bag")
    file = tmp_path / "bag/chunks.mcap"
    data = bytearray(file.read_bytes())
    data[1_500_000:1_900_000] = b"\xff" * 400_000
    file.write_bytes(data)
    with BagSource(tmp_path / "bag") as bag:
        assert bag.damage is None  # it does not show before
        with pytest.raises(BagError, match="damaged"):
            list(bag)
        assert "is no chunk" in bag.damage or "reaches beyond" in bag.damage


def test_the_other_files_of_a_bag_are_read(tmp_path, made):
    messages = made.few_messages()
    files = made.write_split(tmp_path / "bag", [messages[:5], messages[5:9], messages[9:]])
    files[1].write_bytes(b"")
    stamps, error = read_partly(tmp_path / "bag")
    assert stamps == [m.stamp for m in messages[:5] + messages[9:]]
    assert files[1].name in error and "is empty" in error
    files[2].unlink()
    with pytest.raises(BagError, match=f"lacks {files[2].name}.*reindex"):
        BagSource(tmp_path / "bag")


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("keep", [0.4, 0.9])
def test_cut_compressed_file(tmp_path, made, storage, keep):
    made.write_compressed(tmp_path / "bag", made.few_messages(12, (120, 160)), "file", storage)
    (file,) = (tmp_path / "bag").glob("*.zstd")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    with BagSource(tmp_path / "bag") as bag:
        with pytest.raises(BagError, match=f"{file.name} can.* be read.*end early"):
            list(bag)
        assert "end early" in bag.damage


def test_a_cut_bag_that_was_compressed_as_a_file(tmp_path, made):
    from rosbags.rosbag2.storage_mcap import zstd

    write_bag(tmp_path / "bag", made.few_messages(12, (240, 320)))
    data = (tmp_path / "bag/bag.mcap").read_bytes()
    file = tmp_path / "bag.mcap.zstd"
    file.write_bytes(zstd.compress(data[: len(data) // 2]))
    stamps, error = read_partly(file)
    assert len(stamps) > 8 and f"{file} can only be read in part: the file ends" in error
    file.write_bytes(zstd.compress(data[:50]))
    with pytest.raises(BagError, match=f"{file} cannot be read: no message is whole"):
        BagSource(file)


def test_sqlite_without_metadata(tmp_path, made):
    write_bag(tmp_path / "bag", made.few_messages(), storage="sqlite3")
    (tmp_path / "bag/metadata.yaml").unlink()
    file = tmp_path / "bag/bag.db3"
    with pytest.raises(BagError, match=f"no metadata.yaml.*ros2 bag reindex.*{file}"):
        BagSource(tmp_path / "bag")
    with BagSource(file) as bag:
        assert len(list(bag)) == bag.count == 13


def test_sqlite_whose_journal_was_left(tmp_path, made):
    write_bag(tmp_path / "bag", made.few_messages(), storage="sqlite3")
    (tmp_path / "bag/bag.db3-wal").write_bytes(b"7\x7f\x06\x82" + bytes(200))
    stamps, error = read_partly(tmp_path / "bag")
    assert len(stamps) == 13 and "wal_checkpoint" in error
    (tmp_path / "bag/bag.db3").write_bytes(b"SQLite format 3\0")  # all is in the journal
    with pytest.raises(BagError, match="wal_checkpoint"):
        BagSource(tmp_path / "bag")


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9])
def test_cut_sqlite(tmp_path, made, keep):
    write_bag(tmp_path / "bag", made.few_messages(), storage="sqlite3")
    file = tmp_path / "bag/bag.db3"
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(BagError, match="bag.db3 cannot be read.*recover"), BagSource(file) as bag:
        list(bag)


@pytest.mark.parametrize("change", ["topic", "data", "timestamp"])
def test_sqlite_tables_of_other_content(tmp_path, made, change):
    write_bag(tmp_path / "bag", made.few_messages(), storage="sqlite3")
    file = tmp_path / "bag/bag.db3"
    change = {
        "topic": "UPDATE topics SET name = x'0001' WHERE id = 2",
        "data": "UPDATE messages SET data = 12 WHERE id = 5",
        "timestamp": "UPDATE messages SET timestamp = 'late' WHERE id = 5",
    }[change]
    with sqlite3.connect(file) as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(BagError, match="bag.db3 can.* be read.*table of"), BagSource(file) as bag:
        list(bag)


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.97])
def test_cut_ros1(tmp_path, made, keep):
    made.write_ros1(tmp_path / "a.bag", made.few_messages())
    data = (tmp_path / "a.bag").read_bytes()
    (tmp_path / "a.bag").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(BagError, match="a.bag cannot be read.*rosbag reindex"):
        BagSource(tmp_path / "a.bag")


def test_ros1_that_was_not_closed(tmp_path, made):
    made.write_ros1(tmp_path / "a.bag", made.few_messages())
    data = (tmp_path / "a.bag").read_bytes()
    key = b"index_pos="
    at = data.index(key) + len(key)
    (tmp_path / "a.bag").write_bytes(data[:at] + bytes(8) + data[at + 8 :])
    with pytest.raises(BagError, match="not indexed.*rosbag reindex"):
        BagSource(tmp_path / "a.bag")


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_an_empty_bag_is_a_bag(tmp_path, storage):
    write_bag(tmp_path / "bag", [], storage=storage, topics={SEEN: IMAGE})
    with BagSource(tmp_path / "bag") as bag:
        assert (bag.count, bag.start, bag.end, bag.duration) == (0, 0, 0, 0)
        assert list(bag) == [] and bag.damage is None


def test_what_is_no_bag_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(BagError, match="folder is not a bag.*no metadata.yaml"):
        BagSource(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "a.mcap", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(BagError, match="a.mcap cannot be read: it is a zip archive"):
        BagSource(tmp_path / "a.mcap")
    for suffix in ("mcap", "db3", "bag", "mcap.zstd"):
        (tmp_path / f"b.{suffix}").write_bytes(b"")
        with pytest.raises(BagError, match=f"b.{suffix} cannot be read: it is empty"):
            BagSource(tmp_path / f"b.{suffix}")
        (tmp_path / f"c.{suffix}").write_bytes(b"hello, this is text")
        with pytest.raises(BagError, match=f"c.{suffix} cannot be read: it begins with b'hello"):
            BagSource(tmp_path / f"c.{suffix}")
    with sqlite3.connect(tmp_path / "d.db3") as connection:
        connection.execute("CREATE TABLE songs(title)")
    connection.close()
    with pytest.raises(BagError, match="d.db3 cannot be read.*tables"):
        BagSource(tmp_path / "d.db3")


@pytest.mark.parametrize("suffix", ["mcap", "db3", "bag"])
def test_no_permission_to_read(tmp_path, monkeypatch, suffix):
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(b"x")
    opened = Path.open

    def refuse(self, *args, **kwargs):  # root may read everything
        if self == file:
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BagError, match=f"a.{suffix} cannot be opened: Permission denied.*ls -l"):
        BagSource(file)


@pytest.mark.parametrize(
    "text",
    ["rosbag2_bagfile_information: [1, 2", "a: 1", "", "rosbag2_bagfile_information: {}",
     "rosbag2_bagfile_information: {relative_file_paths: 3}"],
)  # fmt: skip
def test_broken_metadata(tmp_path, several_chunks, text):
    shutil.copytree(several_chunks, tmp_path / "bag")
    (tmp_path / "bag/metadata.yaml").write_text(text)
    with pytest.raises(BagError, match="metadata.yaml is damaged.*reindex"):
        BagSource(tmp_path / "bag")
