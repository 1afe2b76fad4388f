"""`egmt annotate release`, from captions to an annotation file, and the files in annotations/."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from egmt_ros.entities.captions.caption_file import PairCaptions
from egmt_ros.entities.extraction.extract import PairEntities
from egmt_ros.entities.extraction.table import EntityTable, load_entity_table
from egmt_ros.entities.release import check_command, release_command
from egmt_ros.entities.release.annotation_file import FEWEST, MOST, ImageAnnotation
from egmt_ros.entities.release.building import build_pairs, choose_known
from egmt_ros.entities.release.checks import check_file, read_annotations
from egmt_ros.entities.release.data_checks import Frame
from egmt_ros.errors import ConfigError, DataError

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
DATA_SETS = {"msrs": "MSRS", "roadscene": "RoadScene", "tno": "TNO", "vifb": "VIFB"}
GERMAN = "Ein Auto steht vor dem Haus und eine Frau geht über die Straße."


@pytest.fixture(scope="module")
def table() -> EntityTable:
    return load_entity_table()


def frames(*names: str) -> dict[str, Frame]:
    return {name: Frame(("train",), True) for name in names}


def captions(pair: str, infrared: str, visible: str, **more: Any) -> dict[str, PairCaptions]:
    return {pair: PairCaptions(pair, "", infrared, visible, **more)}


def test_captions_alone_give_what_they_name(table: EntityTable) -> None:
    found = PairEntities(("person",), ("road", "car"), ())
    built = build_pairs(
        captions("a", "A man.", "A road with a car."), {"a": found}, table, frames("a")
    )
    assert not built.problems
    pair = built.pairs["a"]
    assert pair.split == "train"
    assert pair.infrared == ImageAnnotation("A man.", None, ("person",))
    assert pair.seen == {"person", "car", "road"}
    assert pair.entities == ("person", "car", "road")


def test_lists_keep_what_an_annotator_saw_by_the_table_s_names(table: EntityTable) -> None:
    given = captions(
        "a",
        "A man.",
        "",
        listed_infrared=("people", "tree", "ufo"),
        listed_visible=("pickup", "sky"),
        unsure=("sky", "ghost"),
    )
    found = PairEntities(("person", "dog"), (), ("person",))
    built = build_pairs(given, {"a": found}, table, frames("a"))
    pair = built.pairs["a"]
    assert pair.infrared == ImageAnnotation("A man.", ("person", "tree"), ("person", "dog"))
    assert pair.visible == ImageAnnotation(None, ("sky", "truck"), None)
    assert pair.unsure == ("sky",)
    # Neither what is in doubt nor what only the caption says.
    assert pair.entities == ("person", "truck", "tree")
    assert [line.partition(",")[0] for line in built.problems] == [
        "pair 'a': infrared lists 'ufo'",
        "pair 'a': unsure lists 'ghost'",
    ]


def test_pairs_that_cannot_be_annotated_are_named(table: EntityTable) -> None:
    given = {
        **captions("gone", "A man.", "A car."),
        **captions("empty", "A man.", ""),
        **captions("german", "A man.", GERMAN),
        **captions("listed", "A man.", GERMAN, listed_visible=("car",)),
    }
    nothing = dict.fromkeys(given, PairEntities((), (), ()))
    built = build_pairs(given, nothing, table, frames("empty", "german", "listed"))
    assert set(built.pairs) == {"listed"}
    assert built.pairs["listed"].visible == ImageAnnotation(GERMAN, ("car",), None)
    empty, german, gone = built.problems
    assert "'empty': left out: visible has no caption" in empty
    assert "'german': left out: visible has caption 'Ein Auto" in german
    assert "'gone' is captioned, but the data set has no such pair" in gone


def test_at_most_eight_speak_for_a_pair_and_people_come_first(table: EntityTable) -> None:
    names = [name for name in table.names if name != "person"][-9:]
    image = ImageAnnotation("x", (*names, "person"), ("sky",))
    chosen = choose_known({"infrared": image}, ("smoke",), table)
    assert len(chosen) == table.most == MOST and table.least == FEWEST
    assert chosen[:2] == ("person", "sky")
    assert "smoke" not in chosen


def release(*arguments: str | Path) -> int:
    """`egmt annotate release`."""
    parser = argparse.ArgumentParser()
    release_command.add_arguments(parser)
    return release_command.run(parser.parse_args([str(argument) for argument in arguments]))


def check(*arguments: str | Path) -> int:
    """`egmt annotate check`."""
    parser = argparse.ArgumentParser()
    check_command.add_arguments(parser)
    return check_command.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of three pairs."""
    folder = tmp_path / "Street"
    for split, name in (("train", "a"), ("train", "b"), ("val", "c")):
        for side in ("ir", "vi"):
            (folder / split / side).mkdir(parents=True, exist_ok=True)
            (folder / split / side / f"{name}.png").touch()
    return folder


def test_a_folder_of_captions_becomes_a_file_that_training_reads(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("spacy", reason="spaCy is not installed")
    lines = [
        {
            "pair": "a",
            "infrared": "Two people walk past a parked pickup.",
            "visible": "A dark street without cars.",
            "captioned_by": "me",
        },
        {"pair": "b", "infrared": "A traffic light above a road.", "visible": " "},
        {"pair": "nowhere", "infrared": "A road.", "visible": "A road."},
    ]
    text = "\n".join([*map(json.dumps, lines), "{broken"])
    (data / "captions.json").write_text(text)
    assert release("--data", data) == 0
    out, err = capsys.readouterr()
    assert "1 of 3 pairs; 4 things left out; 0 errors, 2 warnings" in out
    for words in ("line 4", "'b': left out", "'nowhere' is captioned", "warning: pair 'c'"):
        assert words in err
    file = read_annotations(data / "annotations.json")
    assert file.annotated_by == "me"
    assert file.extractor is not None and file.extractor.name.startswith("spacy")
    assert file.pairs["a"].infrared.extracted == ("person", "truck", "road")
    assert file.pairs["a"].visible is not None
    assert file.pairs["a"].visible.extracted == ("road",)
    assert check(data) == 0
    # The same again, elsewhere, is the same to the byte.
    assert release("--data", data, "--out", data / "again.json") == 0
    assert (data / "again.json").read_bytes() == (data / "annotations.json").read_bytes()


def test_what_release_needs_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="captions.json does not exist"):
        release("--data", data)
    with pytest.raises(DataError, match="no pairs in"):
        release("--data", tmp_path)
    entry = {"infrared": "A road.", "visible": "A road."}
    (data / "captions.json").write_text(json.dumps({"a": entry}))
    with pytest.raises(ConfigError, match="--annotated-by"):
        release("--data", data)
    pytest.importorskip("spacy", reason="spaCy is not installed")
    (data / "captions.json").write_text(json.dumps({"nowhere": entry}))
    with pytest.raises(DataError, match="no pair of .* can be annotated; see the 1 lines"):
        release("--data", data, "--annotated-by", "me")


# The released files ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_released_file_is_without_fault(name: str, table: EntityTable) -> None:
    file, problems = check_file(ROOT / "annotations" / f"{name}.json")
    assert file is not None and not problems
    assert file.dataset == DATA_SETS[name]
    assert set(file.vocabulary) <= set(table.names)
    for pair in file.pairs.values():
        assert pair.entities is not None and FEWEST <= len(pair.entities) <= MOST
        for _, image in pair.images:
            assert image.caption and None not in (image.entities, image.extracted)


def test_every_pair_of_the_data_is_annotated(capsys: pytest.CaptureFixture[str]) -> None:
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    assert check(ROOT / "annotations", "--data", SHARED, "--counts", "--agreement") == 0
    summary, *tables = capsys.readouterr().out.split("\n\n")
    assert [line.partition(": ")[2] for line in summary.splitlines()] == [
        "MSRS, 297 pairs: 0 errors, 0 warnings",
        "RoadScene, 166 pairs: 0 errors, 0 warnings",
        "TNO, 22 pairs: 0 errors, 0 warnings",
        "VIFB, 13 pairs: 0 errors, 0 warnings",
    ]
    readme = (ROOT / "annotations" / "README.md").read_text()
    for table in tables:
        assert table.strip() in readme


@pytest.mark.parametrize("name", ["tno", "vifb"])
def test_a_released_file_is_what_its_captions_give(name: str, tmp_path: Path) -> None:
    pytest.importorskip("spacy", reason="spaCy is not installed")
    folder, path = SHARED / DATA_SETS[name], ROOT / "annotations" / f"{name}.json"
    if not folder.is_dir():
        pytest.skip("../shared is not here")
    released = read_annotations(path)
    again = tmp_path / "again.json"
    assert release("--data", folder, "--annotated-by", released.annotated_by, "--out", again) == 0
    if read_annotations(again).extractor != released.extractor:
        pytest.skip("another version of the spaCy pipeline is installed")
    assert again.read_text() == path.read_text()


def test_the_readme_counts_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(ROOT / "annotations", "--counts") == 0
    readme = (ROOT / "annotations" / "README.md").read_text()
    for table in capsys.readouterr().out.split("\n\n")[1:]:
        assert table.strip() in readme
