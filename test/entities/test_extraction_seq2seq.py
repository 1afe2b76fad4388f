"""Lists that a sequence-to-sequence model writes, and the model itself: a tiny random T5."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.entities.extraction.negation import denied_words
from egmt_ros.entities.extraction.noun_phrases import Seq2SeqExtractor
from egmt_ros.entities.extraction.phrases import Phrase
from egmt_ros.entities.extraction.seq2seq_extractor import borne_out, parse_list
from egmt_ros.entities.extraction.words import words_of
from egmt_ros.errors import CheckpointError, ConfigError

WORDS = "</s> <pad> <unk> car tree person , no a the and : street people list light".split()


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random T5 whose words are WORDS."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("t5")
    words = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=len(WORDS),
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=1,
        num_heads=2,
        eos_token_id=0,
        pad_token_id=1,
        decoder_start_token_id=1,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("answer", "phrases"),
    [
        ("two cars, a tree, people", ["two cars", "a tree", "people"]),
        ("cars\ntrees\n\npeople", ["cars", "trees", "people"]),
        ("1. a car\n2) trees\n(3) a man", ["a car", "trees", "a man"]),
        ("- a car\n* a tree\n• a man", ["a car", "a tree", "a man"]),
        ("Objects: a car; a tree | a man.", ["a car", "a tree", "a man"]),
        ('"car", “tree”, and a tree-lined street', ["car", "tree", "a tree-lined street"]),
        ("car, car, car", ["car"]),
        ("car, , ...,", ["car"]),
        ("", []),
    ],
)
def test_lists_are_parsed(answer: str, phrases: list[str]) -> None:
    assert [phrase.text for phrase in parse_list(answer)] == phrases
    assert not any(phrase.negated for phrase in parse_list(answer))


def test_a_list_may_deny() -> None:
    assert parse_list("a tree, no cars") == [Phrase("a tree"), Phrase("cars", negated=True)]


@given(st.text(max_size=120))
def test_any_answer_is_parsed(answer: str) -> None:
    phrases = parse_list(answer)
    assert len(set(phrases)) == len(phrases)
    assert all(phrase.text.strip() and words_of(phrase.text) for phrase in phrases)
    borne_out(phrases, answer)


def test_what_the_caption_does_not_say_is_left_out_and_its_denials_are_kept() -> None:
    caption = "A street without people or cars, a tall tree and no dog on the left."
    listed = parse_list("streets, person, people, cars, tall tree, dog, sky")
    assert borne_out(listed, caption) == [
        Phrase("streets"),
        Phrase("people", negated=True),
        Phrase("cars", negated=True),
        Phrase("tall tree"),
        Phrase("dog", negated=True),
    ]
    again = "No cars on the left, a car on the right"
    assert borne_out([Phrase("cars")], again) == [Phrase("cars")]


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("no cars", {"cars"}),
        ("not a car in sight", {"a", "car", "in", "sight"}),
        ("no car, a tree", {"car", "a"}),
        ("without any red cars and the tree", {"any", "red", "cars", "and", "the"}),
        ("a car and a tree", set()),
    ],
)
def test_denied_words_of_a_text_without_a_parse(text: str, denied: set[str]) -> None:
    found = denied_words(words_of(text))
    assert {word for word in found if word not in {"a", "and", "the", "any"}} == {
        word for word in denied if word not in {"a", "and", "the", "any"}
    }


def test_a_model_answers_the_same_in_any_batches(t5: Path) -> None:
    captions = ["a car and a tree", "the person", "no car in the street , people and light"]
    one = Seq2SeqExtractor(str(t5), "list : {caption}", device="cpu", batch_size=1)
    three = Seq2SeqExtractor(str(t5), "list : {caption}", device="cpu", batch_size=3)
    found = one.phrases(captions)
    assert len(found) == len(captions)
    assert found == three.phrases(captions)
    assert one.name == "seq2seq"
    assert one.version == three.version
    assert t5.name in one.version
    assert Seq2SeqExtractor(str(t5), "{caption}", "cpu").version != one.version
    assert one.phrases([]) == []


def test_the_caption_goes_into_the_prompt(t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = Seq2SeqExtractor(str(t5), "list {caption} : the", device="cpu")
    asked: list[str] = []
    monkeypatch.setattr(
        extractor, "_answers", lambda texts: asked.extend(texts) or ["1. a car\n2. sky"]
    )
    assert extractor.phrases(["a {car}"]) == [[Phrase("a car")]]
    assert asked == ["list a {car} : the"]


def test_bad_arguments_are_named(t5: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"prompt is 'list'; expected.*\{caption\} once"):
        Seq2SeqExtractor(str(t5), "list")
    with pytest.raises(ConfigError, match="batch size is 0"):
        Seq2SeqExtractor(str(t5), batch_size=0)
    with pytest.raises(ConfigError, match="does not exist"):
        Seq2SeqExtractor(str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"holds no config\.json"):
        Seq2SeqExtractor(str(tmp_path))


def test_a_folder_without_its_weights_is_named(t5: Path, tmp_path: Path) -> None:
    for path in t5.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match="cannot be loaded.*sequence-to-sequence"):
        Seq2SeqExtractor(str(tmp_path), device="cpu")
