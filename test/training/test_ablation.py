"""Ablations: each cuts what it says, nothing else, and leaves a record but no checkpoint."""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError, DataError, InputError
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.network import EGMT
from egmt_ros.resources import config_path
from egmt_ros.training import ablation_runs, train_command
from egmt_ros.training.ablation import ABLATIONS, ablated_loss, find_ablation
from egmt_ros.training.ablation_captions import CaptionBook, load_caption_book
from egmt_ros.training.ablation_runs import run_ablations
from egmt_ros.training.config import TrainingConfig, View, load_training_config
from egmt_ros.training.data import Sample, load_split
from egmt_ros.training.loop import Trainer
from egmt_ros.training.run_record import read_record

NETWORK = {
    "widths": [8, 8, 8],
    "decoder_width": 8,
    "attention_width": 8,
    "text_width": 5,
    "backbone_multiplier": 0.25,
}
SHAPE = EGMTConfig.from_dict(NETWORK)
EMBEDDINGS = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)
VOCABULARY = Vocabulary(("person", "car", "tree"), "encoder")
PRIOR = torch.tensor([0.3, -1.0, 0.5])


def cut(name: str, seed: int = 0) -> EGMT:
    """A whole network of that seed, ablated, with weights that let everything have a part."""
    torch.manual_seed(seed)
    network = EGMT(SHAPE, torch.from_numpy(EMBEDDINGS), PRIOR.clone())
    find_ablation(name).change(network)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in network.guidance.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return network.eval()


def images(seed: int, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    thermal = torch.rand(batch, 1, 64, 80, generator=generator)
    return thermal, torch.rand(batch, 3, 64, 80, generator=generator)


def sentences(seed: int, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 2, 5, generator=torch.Generator().manual_seed(seed))


def count(network: EGMT) -> int:
    return sum(p.numel() for p in network.parameters())


OTHER_EMBEDDINGS = torch.from_numpy(EMBEDDINGS).flip(0) * 2.0


@torch.inference_mode()
def test_the_full_network_is_what_it_was() -> None:
    torch.manual_seed(0)
    plain = EGMT(SHAPE, torch.from_numpy(EMBEDDINGS), PRIOR.clone())
    after = torch.get_rng_state()
    before = copy.deepcopy(plain.state_dict())
    find_ablation("full").change(plain)
    assert torch.equal(torch.get_rng_state(), after)
    torch.testing.assert_close(plain.state_dict(), before, rtol=0, atol=0)
    with pytest.raises(ConfigError, match="'colour'; expected of full, no-guidance"):
        find_ablation("colour")


@torch.inference_mode()
@pytest.mark.parametrize("name", ["full", "no-labels", "no-inter-visual", "learned-embeddings"])
def test_entities_guide_the_fusion_where_that_is_not_cut(name: str) -> None:
    network = cut(name)
    fused = network(*images(3)).fused
    assert not torch.equal(fused, network(*images(3), OTHER_EMBEDDINGS).fused)
    assert not torch.equal(fused, network(*images(3), entity_weights=torch.zeros(3)).fused)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["no-guidance", "control"])
def test_no_entity_reaches_the_fusion(name: str) -> None:
    """Neither what the entities are, nor how strong, nor where: all come from the label head."""
    network = cut(name)
    output = network(*images(3))
    other = network(*images(3), OTHER_EMBEDDINGS)
    assert torch.equal(output.fused, other.fused)
    assert not torch.equal(output.logits, other.logits)
    for parameter in (*network.label_head.parameters(), network.prior):
        parameter.add_(torch.randn_like(parameter))
    changed = network(*images(3))
    assert torch.equal(output.fused, changed.fused)
    assert not torch.equal(output.logits, changed.logits)
    one = network(*images(3), entity_weights=torch.tensor([3.0, 0.0, 0.1]))
    assert torch.equal(output.fused, one.fused)


@torch.inference_mode()
def test_the_control_has_the_switch_of_the_guidance_and_no_guidance_has_not() -> None:
    for name, differs in (("full", True), ("control", True), ("no-guidance", False)):
        network = cut(name)
        on, off = network(*images(3)), network(*images(3), entity_weights=torch.zeros(1, 1))
        assert torch.isfinite(off.fused).all()
        assert torch.equal(on.fused, off.fused) != differs
    assert ABLATIONS["no-guidance"].always_guided and not ABLATIONS["control"].always_guided


def test_the_control_guides_by_its_bank() -> None:
    network = cut("control")
    network(*images(3)).fused.sum().backward()
    assert network.guidance.bank.shape == (3, SHAPE.attention_width)
    assert network.guidance.bank.grad.abs().sum() > 0
    assert network.guidance.key.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.label_head.parameters())


def test_parameters_match_but_for_what_is_said() -> None:
    full = count(cut("full"))
    assert count(cut("control")) == full + 3 * SHAPE.attention_width
    assert count(cut("learned-embeddings")) == full + EMBEDDINGS.size
    assert count(cut("sentences")) == count(cut("no-labels")) == full
    assert count(cut("no-guidance")) < full
    assert count(cut("no-inter-visual")) < full


def test_all_start_from_the_weights_of_the_full_network() -> None:
    torch.manual_seed(4)
    full = dict(EGMT(SHAPE, torch.from_numpy(EMBEDDINGS)).named_parameters())
    for name in ABLATIONS:
        torch.manual_seed(4)
        network = EGMT(SHAPE, torch.from_numpy(EMBEDDINGS))
        find_ablation(name).change(network)
        same = {key: p for key, p in network.named_parameters() if key in full}
        assert same.keys() >= {"guidance.query.weight"} or name == "no-guidance"
        for key, parameter in same.items():
            torch.testing.assert_close(parameter, full[key], rtol=0, atol=0, msg=f"{name} {key}")


@torch.inference_mode()
@pytest.mark.parametrize(("name", "depends"), [("full", True), ("no-inter-visual", False)])
def test_without_inter_visual_attention_no_coarse_feature_depends_on_the_other_image(
    name: str, depends: bool
) -> None:
    network = cut(name)
    coarse = []
    network.decoder.register_forward_pre_hook(
        lambda module, given: coarse.append((given[0].coarse.clone(), given[1].coarse.clone()))
    )
    thermal, visible = images(3)
    other_thermal, other_visible = images(4)
    network(thermal, visible)
    network(thermal, other_visible)
    network(other_thermal, visible)
    assert torch.equal(coarse[0][0], coarse[1][0]) != depends
    assert torch.equal(coarse[0][1], coarse[2][1]) != depends
    assert not torch.equal(coarse[0][1], coarse[1][1])


def test_without_the_label_task_nothing_is_learned_from_labels() -> None:
    weights = load_training_config(config_path("ablation.yaml")).loss
    assert weights.labels > 0 and weights.dense > 0
    for name, ablation in ABLATIONS.items():
        loss = ablated_loss(ablation, weights)
        expected = replace(weights, labels=0.0, dense=0.0) if name == "no-labels" else weights
        assert loss == expected
    assert torch.equal(cut("no-labels").prior, torch.zeros(3))
    assert torch.equal(cut("full").prior, PRIOR)


def test_learned_embeddings_know_no_text() -> None:
    first, again, other = (cut("learned-embeddings", seed) for seed in (0, 0, 1))
    assert isinstance(first.embeddings, torch.nn.Parameter)
    assert first.state_dict().keys() == cut("full").state_dict().keys()
    assert torch.equal(first.embeddings, again.embeddings)
    assert not torch.equal(first.embeddings, other.embeddings)
    lengths = torch.from_numpy(EMBEDDINGS).norm(dim=-1)
    torch.testing.assert_close(first.embeddings.norm(dim=-1), lengths)
    first(*images(3)).logits.sum().backward()
    assert first.embeddings.grad.abs().sum() > 0


@torch.inference_mode()
def test_sentences_guide_the_fusion_and_not_the_labels() -> None:
    network = cut("sentences")

    def run(told: torch.Tensor, *more: object, **named: object):
        network.guidance.ask(told)
        return network(*images(3, len(told)), *more, **named)

    both = sentences(0)
    output, other = run(both), run(sentences(1))
    assert not torch.equal(output.fused, other.fused)
    assert torch.equal(output.logits, other.logits)
    for part in (0, 1):  # each of the two has a part
        changed = both.clone()
        changed[:, part] = 1.0
        assert not torch.equal(output.fused, run(changed).fused)
    # No entity: other embeddings change the labels alone.
    embedded = run(both, OTHER_EMBEDDINGS)
    assert torch.equal(output.fused, embedded.fused)
    assert not torch.equal(output.logits, embedded.logits)
    # A pair without captions is fused as an unguided one: by the "none of them" alone.
    none = run(torch.zeros(1, 2, 5))
    assert torch.isfinite(none.fused).all()
    assert torch.equal(none.fused, run(both, entity_weights=torch.zeros(1, 1)).fused)
    # Each pair of a batch is told its own.
    batch = run(torch.cat([both, sentences(1), torch.zeros(1, 2, 5)]))
    singles = []
    thermal, visible = images(3, 3)
    for i, told in enumerate((both, sentences(1), torch.zeros(1, 2, 5))):
        network.guidance.ask(told)
        singles.append(network(thermal[i : i + 1], visible[i : i + 1]).fused)
    torch.testing.assert_close(batch.fused, torch.cat(singles))


@torch.inference_mode()
def test_sentences_must_be_told_anew_for_each_batch() -> None:
    network = cut("sentences")
    with pytest.raises(InputError, match="none of the batch's 1 pairs"):
        network(*images(3))
    network.guidance.ask(sentences(0))
    network(*images(3))
    with pytest.raises(InputError, match="call guidance.ask"):
        network(*images(3))
    network.guidance.ask(sentences(0, 2))
    with pytest.raises(InputError, match="2 of the batch's 1"):
        network(*images(3))


def test_a_copy_asks_through_its_own_projection() -> None:
    network = cut("sentences")
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in twin.label_head.parameters():
            parameter.add_(torch.randn_like(parameter))
        fused = []
        for one in (network, twin):
            one.guidance.ask(sentences(0))
            fused.append(one(*images(3)).fused)
    assert not torch.equal(*fused)
    assert twin.state_dict().keys() == cut("full").state_dict().keys()


# Captions ---------------------------------------------------------------------------------------


def sample(name: str, dataset: str = "A") -> Sample:
    blank = np.zeros((64, 64), np.uint8)
    return Sample(dataset, name, blank, np.zeros((64, 64, 3), np.uint8), np.zeros(3, np.int8), {})


class Encoder:
    """Embeds a text as its length and counts how many it was given."""

    calls = 0

    def __call__(self, vocabulary: Vocabulary) -> np.ndarray:
        self.calls += len(vocabulary.names)
        assert vocabulary.text_encoder == "encoder" and vocabulary.template == "{}"
        return np.array([[len(name), 1] for name in vocabulary.names], np.float32)


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    (tmp_path / "data" / "A").mkdir(parents=True)
    captions = {
        "a": {"infrared": "one {} two", "visible": "three"},
        "b": {"infrared": "three", "entities": {}},
        "c": {"entities": {}},
        "unused": {"infrared": "of a pair that is not asked for", "visible": ""},
    }
    (tmp_path / "data" / "A" / "captions.json").write_text(json.dumps(captions))
    return tmp_path / "data"


def test_captions_are_embedded_once_and_kept(captioned: Path, tmp_path: Path) -> None:
    samples = [sample("a"), sample("b"), sample("c"), sample("d"), sample("a", "B")]
    cache, encoder = tmp_path / "run" / "captions.npz", Encoder()
    for _ in range(2):
        book = load_caption_book(captioned, samples, "encoder", cache, encoder)
        told = book.of(samples)
        assert told.shape == (5, 2, 2) and told.dtype == torch.float32
        assert told[:2].tolist() == [[[10, 1], [5, 1]], [[5, 1], [0, 0]]]
        assert not told[2:].any()
        assert encoder.calls == 2
    cache.write_bytes(b"damaged")
    load_caption_book(captioned, samples, "encoder", cache, encoder)
    assert encoder.calls == 4
    load_caption_book(captioned, [sample("b")], "encoder", cache, encoder)
    assert encoder.calls == 5
    inside = load_caption_book(captioned / "A", [sample("b")], "encoder", cache, encoder)
    assert inside.of([sample("b")]).any()


def test_captions_that_are_missing_or_no_texts_are_refused(captioned: Path, tmp_path: Path) -> None:
    cache = tmp_path / "captions.npz"
    with pytest.raises(DataError, match="needs captions.json"):
        load_caption_book(captioned, [sample("c")], "encoder", cache, Encoder())
    for wrong in ({"a": {"infrared": 3}}, {"a": ["text"]}):
        (captioned / "A" / "captions.json").write_text(json.dumps(wrong))
        with pytest.raises(DataError, match=r"captions.json: a is .*infrared and visible"):
            load_caption_book(captioned, [sample("a")], "encoder", cache, Encoder())


# Runs -------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Pairs with masks and captions."""
    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    captions = {}
    for split, many in (("train", 3), ("val", 2)):
        for kind in ("ir", "vi", "seg"):
            (root / "A" / split / kind).mkdir(parents=True)
        for i in range(many):
            name = f"{split}{i}"
            seg = np.zeros((72, 88), np.uint8)
            if i % 2 == 0:
                seg[20:60, 30:60] = 2
            images = {
                "ir": rng.integers(0, 255, (72, 88), np.uint8),
                "vi": rng.integers(0, 200, (72, 88, 3), np.uint8),
                "seg": seg,
            }
            for kind, image in images.items():
                cv2.imwrite(str(root / "A" / split / kind / f"{name}.png"), image)
            seen = ["person"] if i % 2 == 0 else ["tree"]
            captions[name] = {
                "infrared": f"thermal {name}",
                "visible": f"visible {name}",
                "entities": {"infrared": seen, "visible": []},
                "unsure": ["car"],
            }
    (root / "A" / "captions.json").write_text(json.dumps(captions))
    return root


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    vocabulary = tmp_path / "vocabulary.yaml"
    vocabulary.write_text(
        "text_encoder: encoder\nentities: [{name: person}, {name: car}, {name: tree}]\n"
    )
    return replace(
        load_training_config(config_path("ablation.yaml")),
        vocabulary=vocabulary,
        small=View(2, 64, 80),
        large=View(1, 64, 80, share=0.3),
        masks={"A": {"folder": "seg", "classes": {2: "person"}}},
        overlaps={},
        pretrained=False,
        threads=1,
        steps=2,
        checkpoint_every=1,
        network=NETWORK,
    )


def book(seed: int = 0) -> CaptionBook:
    rng = np.random.default_rng(seed)
    names = [f"train{i}" for i in range(3)] + [f"val{i}" for i in range(2)]
    told = {("A", name): rng.standard_normal((2, 5)).astype(np.float32) for name in names}
    return CaptionBook(told, 5)


def test_a_study_trains_every_ablation_and_skips_what_is_finished(
    data: Path, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    told = (EMBEDDINGS, book())
    places = run_ablations(config, data, folder, tuple(ABLATIONS), [1], *told)
    assert places == [folder / name / "seed1" for name in ABLATIONS]
    records = {}
    for place in places:
        record = read_record(place / "validation.json")
        assert (record.ablation, f"seed{record.seed}") == (place.parent.name, place.name)
        assert record.pairs == (("A", "val0"), ("A", "val1"))
        assert record.scores.shape == (2, 8) and record.probabilities.shape == (2, 3)
        assert record.targets.tolist() == [[1, -1, 0], [0, -1, 1]]
        assert record.config["steps"] == 2 and "seed" not in record.config
        records[place] = record
        assert not (place / "state.pt").exists()
        weights = list(place.glob("*.safetensors"))
        assert bool(weights) == (record.ablation == "full")
    scores = {record.scores.tobytes() for record in records.values()}
    assert len(scores) == len(records)  # every one is another network

    # A finished one is left alone, one that was not finished is trained.
    (places[2] / "validation.json").unlink()
    trained = []
    run = Trainer.run
    monkeypatch.setattr(
        Trainer, "run", lambda self: (trained.append(self.run_folder), run(self))[1]
    )
    run_ablations(config, data, folder, ("no-guidance", "control"), [1, 2], *told)
    assert trained == [places[2], folder / "no-guidance" / "seed2", folder / "control" / "seed2"]
    again = read_record(places[2] / "validation.json")
    np.testing.assert_array_equal(again.scores, records[places[2]].scores)
    with pytest.raises(ConfigError, match=r"another budget: steps \(2 and 3\)"):
        run_ablations(replace(config, steps=3), data, folder, ("full",), [1], *told)


def test_the_captions_decide_what_the_trained_network_fuses(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    trainer = Trainer(config, data, tmp_path / "run", EMBEDDINGS, "sentences", book())
    assert trainer.run() is None
    first = trainer._validation()
    trainer.captions = book(1)
    other = trainer._validation()
    assert not np.array_equal(first.scores, other.scores)
    np.testing.assert_array_equal(first.probabilities, other.probabilities)


def test_without_a_label_task_the_labels_of_the_data_change_nothing(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    def train(name: str, run: str) -> bytes:
        trainer = Trainer(config, data, tmp_path / run, EMBEDDINGS, name)
        trainer.run()
        return b"".join(v.numpy().tobytes() for v in trainer.network.state_dict().values())

    before = [train(name, f"{name} before") for name in ("no-labels", "full")]
    captions = json.loads((data / "A" / "captions.json").read_text())
    for entry in captions.values():  # not person: where it is drawn is the fusion's own
        entry["entities"]["visible"] = ["car"]
        entry["unsure"] = ["tree"]
    (data / "A" / "captions.json").write_text(json.dumps(captions))
    assert load_split(data, "train", VOCABULARY)[0].target.tolist() == [1, 1, -1]
    after = [train(name, f"{name} after") for name in ("no-labels", "full")]
    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(("name", "unguided"), [("control", True), ("no-guidance", False)])
def test_a_network_without_guidance_has_no_unguided_views(
    data: Path, config: TrainingConfig, tmp_path: Path, name: str, unguided: bool
) -> None:
    config = replace(config, unguided=1.0)
    trainer = Trainer(config, data, tmp_path / "run", EMBEDDINGS, name)
    drawn = []
    for trainer.step in range(6):
        batch, samples = trainer._batch()
        assert len(samples) == len(batch.thermal)
        shown = batch.salient.flatten(1).any(1)
        assert torch.equal(trainer._unguided(batch), shown & unguided)
        drawn += shown.tolist()
    assert any(drawn)


def test_a_run_is_resumed_as_what_it_was_begun(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    begun = Trainer(config, data, run, EMBEDDINGS, "control")
    run.mkdir()
    begun._save_state()
    assert Trainer(config, data, run, EMBEDDINGS, "control").step == 0
    with pytest.raises(ConfigError, match="ablation 'control', not 'full'"):
        Trainer(config, data, run, EMBEDDINGS)
    with pytest.raises(ConfigError, match="ablation 'control', not 'no-labels'"):
        Trainer(config, data, run, EMBEDDINGS, "no-labels")
    with pytest.raises(ConfigError, match="started with seed 1, not 2"):
        Trainer(replace(config, seed=2), data, run, EMBEDDINGS, "control")


def test_learned_embeddings_are_resumed(data: Path, config: TrainingConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trainer = Trainer(config, data, run, EMBEDDINGS, "learned-embeddings")
    trainer.run()
    resumed = Trainer(config, data, run, EMBEDDINGS, "learned-embeddings")
    assert resumed.step == config.steps
    assert torch.equal(resumed.network.embeddings, trainer.network.embeddings)


def test_an_ablated_network_is_not_exported(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    trainer = Trainer(config, data, tmp_path / "run", EMBEDDINGS, "no-labels")
    with pytest.raises(ConfigError, match=r"ablated \(no-labels\)"):
        trainer.export(tmp_path / "egmt.safetensors", "egmt-base")
    assert not (tmp_path / "egmt.safetensors").exists()


# Command ----------------------------------------------------------------------------------------


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    return parser.parse_args(["--data", "data", *arguments])


def test_the_command_trains_what_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    asked = []

    class OneRun:
        def __init__(
            self, config: TrainingConfig, *rest: object, ablation: str, start: Path | None
        ) -> None:
            asked.append((ablation, config.seed, config.steps, start))

        def run(self) -> None:
            return None

    def several(config: TrainingConfig, data, run, names, seeds) -> list[Path]:
        asked.append((names, seeds, config.steps))
        return [run]

    monkeypatch.setattr("egmt_ros.training.loop.Trainer", OneRun)
    monkeypatch.setattr(ablation_runs, "run_ablations", several)
    default = load_training_config(config_path("training.yaml"))
    for arguments in (
        ["--ablation", "control", "--seed", "5", "--steps", "9", "--start", "w.safetensors"],
        ["--ablation", "all", "--seeds", "1,2,3"],
        ["--ablation", "full,control"],
        [],
    ):
        assert train_command.run(parse(*arguments)) == 0
    assert asked == [
        ("control", 5, 9, Path("w.safetensors")),
        (tuple(ABLATIONS), [1, 2, 3], default.steps),
        (("full", "control"), [default.seed], default.steps),
        ("full", default.seed, default.steps, None),
    ]
    with pytest.raises(ConfigError, match="--start is for one run"):
        train_command.run(parse("--ablation", "all", "--start", "w.safetensors"))
    assert "control: runs/egmt/validation.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seed", "-1"],
        ["--seed", "1", "--seeds", "2"],
        ["--seeds", "1,1"],
        ["--seeds", "1,,2"],
        ["--steps", "0"],
        ["--steps", "many"],
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert "error:" in capsys.readouterr().err


def test_the_command_names_every_ablation() -> None:
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    help_text = next(a.help for a in parser._actions if a.dest == "ablation")
    assert [name for name in ABLATIONS if name not in help_text] == []


def test_the_short_budget_differs_from_the_training_configuration_in_size_alone() -> None:
    long = load_training_config(config_path("training.yaml"))
    short = load_training_config(config_path("ablation.yaml"))
    assert short.loss == long.late_loss.loss and short.late_loss is None
    size = (
        *("steps", "seed", "threads", "warm_up", "small", "large", "validate_every"),
        *("loss", "late_loss", "name"),
    )
    assert replace(short, **{key: getattr(long, key) for key in size}) == long
    assert short.steps < long.steps
