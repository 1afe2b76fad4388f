"""Training: data, views, thresholds, and a run that is killed and resumed."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import CheckpointError, ConfigError, DataError
from egmt_ros.model.checkpoint import load_checkpoint, read_info
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.network import EGMT
from egmt_ros.resources import config_path
from egmt_ros.training import loop
from egmt_ros.training.augmentation import make_batch
from egmt_ros.training.camera_faults import with_fault
from egmt_ros.training.config import LateLoss, TrainingConfig, View, load_training_config
from egmt_ros.training.data import Sample, load_split
from egmt_ros.training.loop import Trainer, overlap_table
from egmt_ros.training.losses import fusion_terms, label_loss, matte_loss, total_loss
from egmt_ros.training.validation import best_thresholds

VOCABULARY = Vocabulary(("person", "car", "tree"), "encoder")
RNG = np.random.default_rng


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two data sets: pairs with masks and captions, and thermal frames alone."""
    rng = RNG(0)
    root = tmp_path / "data"
    captions = {}
    for split, count in (("train", 4), ("val", 3)):
        for kind in ("ir", "vi", "seg"):
            (root / "A" / split / kind).mkdir(parents=True)
        for i in range(count):
            thermal = rng.integers(0, 80, (96, 112), np.uint8)
            visible = rng.integers(0, 200, (96, 112, 3), np.uint8)
            seg = np.zeros((96, 112), np.uint8)
            if i % 2:
                seg[20:60, 30:60] = 2
                thermal[20:60, 30:60] = 250
            cv2.imwrite(str(root / "A" / split / "ir" / f"{split}{i}.png"), thermal)
            cv2.imwrite(str(root / "A" / split / "vi" / f"{split}{i}.jpg"), visible)
            cv2.imwrite(str(root / "A" / split / "seg" / f"{split}{i}.png"), seg)
            seen = ["person"] if i % 2 else ["tree"]
            captions[f"{split}{i}"] = {
                "entities": {"infrared": seen, "visible": []},
                "unsure": ["car"],
            }
    (root / "A" / "captions.json").write_text(json.dumps(captions))
    (root / "B" / "train" / "ir").mkdir(parents=True)
    cv2.imwrite(str(root / "B" / "train" / "ir" / "b.png"), np.full((96, 112), 9, np.uint8))
    (root / "B" / "labels.json").write_text('{"b": ["car"]}')
    (root / "B" / "labels_meta.json").write_text('{"annotated_vocabulary": ["car", "person"]}')
    return root


MASKS = {"A": {"folder": "seg", "classes": {2: "person"}}}


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    vocabulary = tmp_path / "vocabulary.yaml"
    vocabulary.write_text(
        "text_encoder: encoder\nentities: [{name: person}, {name: car}, {name: tree}]\n"
    )
    default = load_training_config(config_path("training.yaml"))
    return replace(
        default,
        vocabulary=vocabulary,
        small=View(2, 64, 80),
        large=View(1, 96, 112, share=0.3),
        masks=MASKS,
        overlaps={},
        pretrained=False,
        threads=1,
        steps=6,
        validate_every=3,
        checkpoint_every=3,
        network={
            "widths": [8, 8, 8],
            "depths": [1, 1, 1],
            "decoder_width": 8,
            "attention_width": 8,
            "text_width": 5,
            "backbone_multiplier": 0.25,
        },
    )


EMBEDDINGS = RNG(1).standard_normal((3, 5)).astype(np.float32)


def test_load_split(data: Path) -> None:
    samples = load_split(data, "train", VOCABULARY, MASKS)
    assert [(s.dataset, s.name) for s in samples] == [
        ("A", "train0"), ("A", "train1"), ("A", "train2"), ("A", "train3"), ("B", "b"),
    ]  # fmt: skip
    assert samples[0].target.tolist() == [0, -1, 1]
    assert samples[1].target.tolist() == [1, -1, 0]
    assert samples[1].masks[0].sum() == 40 * 30
    assert samples[4].visible is None
    assert samples[4].target.tolist() == [0, 1, -1]


def test_an_entity_that_is_present_but_not_drawn_has_no_known_place(data: Path) -> None:
    cv2.imwrite(str(data / "A/train/seg/train1.png"), np.zeros((96, 112), np.uint8))
    samples = load_split(data, "train", VOCABULARY, MASKS)
    assert 0 not in samples[1].masks
    assert samples[0].masks[0].sum() == 0


def test_errors_of_a_data_set(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        load_split(tmp_path / "nowhere", "train", VOCABULARY)
    cv2.imwrite(str(data / "A/train/ir/train0.png"), np.zeros((90, 112), np.uint8))
    with pytest.raises(DataError, match="112x90.*112x96"):
        load_split(data, "train", VOCABULARY)
    (data / "A/train/vi/train0.jpg").unlink()
    with pytest.raises(DataError, match="no visible partner"):
        load_split(data, "train", VOCABULARY)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(70, 200), width=st.integers(70, 200))
def test_targets_follow_the_crop(seed: int, height: int, width: int) -> None:
    """The dense target is where the drawn entity's pixels are; without pixels it is absent."""
    thermal = np.zeros((height, width), np.uint8)
    thermal[: height // 3, : width // 3] = 255
    sample = Sample(
        "A", "a", thermal, None, np.array([1, 1, 0], np.int8), {0: (thermal > 0).astype(np.uint8)}
    )
    batch = make_batch([sample], View(1, 64, 64), RNG(seed))
    assert batch.thermal.shape == (1, 1, 64, 64) and batch.visible.shape == (1, 3, 64, 64)
    dense = batch.dense[0]
    bright = (batch.thermal[0, 0] > 0.5).float().reshape(4, 16, 4, 16).mean((1, 3))
    assert (dense[0] - bright).abs().max() < 0.2
    assert (dense[1] == -1).all()  # present, but nobody drew it
    assert (dense[2] == 0).all()
    # Undrawn entities are known of the whole image alone, present and absent alike.
    assert batch.target[0, 1:].tolist() in ([1.0, 0.0], [-1.0, -1.0])
    if dense[0].sum() == 0:
        assert batch.target[0, 0] == 0
    assert batch.paired[0] == 0


def test_where_an_outlined_entity_is_no_other_can_be(data: Path) -> None:
    sample = load_split(data, "train", VOCABULARY, MASKS)[1]
    assert sample.outlined
    overlaps = overlap_table(VOCABULARY, {"car": ["person"]})
    batch = make_batch([sample], View(1, 96, 112), RNG(0), overlaps)
    person, car, tree = batch.dense[0]
    assert (car == -1).all()  # unknown, and may be where the person is
    assert (tree == 0).all()  # absent
    sample.target[:] = [1, -1, 1]
    person, car, tree = make_batch([sample], View(1, 96, 112), RNG(0), overlaps).dense[0]
    assert (tree[person > 0.5] == 0).all() and (tree[person <= 0.5] == -1).all()
    assert (person > 0.5).any()
    with pytest.raises(ConfigError, match="'lorry'"):
        overlap_table(VOCABULARY, {"lorry": ["car"]})


def test_a_view_that_lost_a_camera_is_labelled_by_the_other_alone(data: Path) -> None:
    """The captions saw the person in the thermal image alone."""
    sample = load_split(data, "train", VOCABULARY, MASKS)[1]
    assert sample.by_modality["thermal"].tolist() == [1, -1, 0]
    assert sample.by_modality["visible"].tolist() == [0, -1, 0]
    found = set()
    for seed in range(150):
        batch = make_batch([sample], View(1, 96, 112), RNG(seed), faults=1.0)
        assert batch.thermal.shape == batch.shown_thermal.shape == batch.shown_visible.shape
        if not batch.lone[0]:
            continue
        torch.testing.assert_close(batch.shown_thermal, batch.shown_visible)
        flat = [float(image[0, 0].std()) < 1e-6 for image in (batch.thermal, batch.visible)]
        assert sum(flat) == 1
        kind = "thermal" if flat[0] else "visible"
        found.add(kind)
        remaining = batch.visible[:, :1] if flat[0] else batch.thermal
        torch.testing.assert_close(batch.shown_thermal, remaining)
        if kind == "thermal":
            assert batch.target[0, 0] < 1 and not (batch.dense[0, 0] > 0).any()
        elif batch.dense[0, 0].max() > 0.9:
            assert batch.target[0, 0] == 1
    assert found == {"thermal", "visible"}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_a_fault_leaves_images_that_a_camera_could_give(seed: int) -> None:
    rng = RNG(seed)
    thermal = rng.random((40, 50), np.float32)
    visible = rng.random((3, 40, 50), np.float32)
    before = thermal.copy(), visible.copy()
    view = with_fault(thermal, visible, rng)
    for image in (view.thermal, view.visible, view.shown_thermal, view.shown_visible):
        assert image.dtype == np.float32 and image.min() >= 0.0 and image.max() <= 1.0
    assert view.thermal.shape == view.shown_thermal.shape == view.shown_visible.shape
    assert view.visible.shape == visible.shape
    np.testing.assert_array_equal(before[0], thermal)
    np.testing.assert_array_equal(before[1], visible)


def test_thresholds_separate_and_stay_near_the_middle_for_rare_entities() -> None:
    score = np.linspace(0, 1, 200)
    truth = (score > 0.3).astype(int)
    many = best_thresholds(truth[:, None], score[:, None])[0]
    assert many == pytest.approx(0.3, abs=0.05)
    few = best_thresholds(truth[[10, 150], None], score[[10, 150], None])[0]
    assert abs(few - 0.5) < 0.05


def test_a_threshold_at_which_labels_are_mostly_wrong_is_not_taken() -> None:
    """Best F1 alone would name all: 30 of 100 are right. Only the surest ten are right."""
    truth = np.array([1] * 10 + [0, 0, 0, 0, 1, 0, 0] * 10 + [1] * 10 + [0] * 10)
    score = np.concatenate([np.full(10, 0.95), np.full(70, 0.3), np.full(20, 0.25)])
    assert best_thresholds(truth[:, None], score[:, None])[0] > 0.3


DIES = """
import os, pickle, signal, sys
from pathlib import Path
from egmt_ros.training.loop import Trainer

with open(sys.argv[1], "rb") as file:
    trainer = Trainer(*pickle.load(file))
train_step = trainer._train_step


def die_at_step_5():
    if trainer.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return train_step()


trainer._train_step, trainer.LOG_EVERY = die_at_step_5, 1
trainer.run()
"""


def test_a_killed_run_resumes_and_ends_like_an_uninterrupted_one(
    data: Path, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "LOG_EVERY", 1)
    straight = Trainer(config, data, tmp_path / "straight", EMBEDDINGS)
    whole = straight.run()

    arguments = tmp_path / "arguments.pickle"
    arguments.write_bytes(pickle.dumps((config, data, tmp_path / "killed", EMBEDDINGS)))
    child = subprocess.run(
        [sys.executable, "-c", DIES, str(arguments)], capture_output=True, timeout=300, text=True
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    resumed = Trainer(config, data, tmp_path / "killed", EMBEDDINGS)
    assert resumed.step == 3
    info = resumed.run()
    assert info.sha256 == whole.sha256
    network, loaded = load_checkpoint(tmp_path / "killed" / "egmt.safetensors")
    assert loaded.names == ("person", "car", "tree") and loaded.name == config.name
    assert loaded.localised == ("person",)
    assert loaded.training["pairs"] == 4 and loaded.training["thermal_only"] == 1
    np.testing.assert_array_equal(network.embeddings.numpy(), EMBEDDINGS)
    entries = [json.loads(x) for x in (tmp_path / "straight" / "log.jsonl").open()]
    assert [e["step"] for e in entries if "val_macro_ap" in e] == [3, 6]
    again = [json.loads(x) for x in (tmp_path / "killed" / "log.jsonl").open()]
    assert again == entries


def test_a_state_of_another_network_is_refused(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    trainer = Trainer(config, data, run, EMBEDDINGS)
    run.mkdir()
    trainer._save_state()
    other = replace(config, network=config.network | {"decoder_width": 16})
    with pytest.raises(ConfigError, match="another network or is damaged"):
        Trainer(other, data, run, EMBEDDINGS)
    with pytest.raises(ConfigError, match="another vocabulary"):
        Trainer(config, data, run, EMBEDDINGS + 1)
    for damage in (b"", b"garbage", (run / "state.pt").read_bytes()[:2000]):
        (run / "state.pt").write_bytes(damage)
        with pytest.raises(ConfigError, match="another network or is damaged"):
            Trainer(config, data, run, EMBEDDINGS)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("steps: 4000", "steps: 0", "steps is 0"),
        ("height: 320", "height: 330", "multiples of 16"),
        ("seed: 7", "sead: 7", "sead"),
        ("  scd: 0.6", "  scd: high", "high"),
        ("pretrained: true", "pretrained: 2", "true or false"),
        ("loss:", "losses:", "loss"),
        ("left_out: []", "left_out: car", "left_out is 'car'; expected a list of names"),
        ("left_out: []", "left_out: [3]", "left_out is 3; expected a text"),
        ("only: []", "only: emphasis", "only is 'emphasis'; expected a list of names"),
        ("annotations: {}", "annotations: x.json", "annotations is 'x.json'; expected a mapping"),
        ("annotations: {}", "annotations: {A: 3}", "annotations.A is 3; expected a text"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = config_path("training.yaml").read_text()
    assert old in text
    path = tmp_path / "training.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=words):
        load_training_config(path)


def test_late_loss_weights_count_from_their_step_on(
    data: Path, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = replace(config.loss, ssim=9.0)
    config = replace(config, steps=4, validate_every=9, late_loss=LateLoss(2, late))
    seen = []

    def note(output, emphasis, batch, weights, *rest):
        seen.append(weights.ssim)
        return total_loss(output, emphasis, batch, weights, *rest)

    monkeypatch.setattr(loop, "total_loss", note)
    Trainer(config, data, tmp_path / "run", EMBEDDINGS).run()
    assert seen == [config.loss.ssim] * 2 + [9.0] * 2


def test_late_loss_of_a_file_changes_what_it_names_alone() -> None:
    config = load_training_config(config_path("training.yaml"))
    assert config.late_loss.loss != config.loss
    assert config.late_loss.loss.labels == config.loss.labels


def test_a_run_can_start_from_a_checkpoint(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    config = replace(config, steps=2, validate_every=2)
    first = Trainer(config, data, tmp_path / "first", EMBEDDINGS)
    first.run()
    weights = tmp_path / "first" / "egmt.safetensors"
    second = Trainer(config, data, tmp_path / "second", EMBEDDINGS, start=weights)
    assert second.step == 0
    assert second.start == read_info(weights).model_id and first.start is None
    learned = first.average.state_dict()
    for start in (second.network, second.average):
        torch.testing.assert_close(start.state_dict(), learned, rtol=0, atol=0)

    # Another vocabulary keeps its own embeddings and priors.
    own = tmp_path / "own.yaml"
    own.write_text(config.vocabulary.read_text().replace("tree", "dog"))
    other = replace(config, vocabulary=own)
    third = Trainer(other, data, tmp_path / "third", EMBEDDINGS + 1, start=weights)
    np.testing.assert_array_equal(third.network.embeddings.numpy(), EMBEDDINGS + 1)
    for name, value in third.network.state_dict().items():
        if name not in ("embeddings", "prior"):
            assert torch.equal(value, learned[name]), name

    # What is resumed is the run, not its start.
    second.step = 1
    second.run_folder.mkdir()
    second._save_state()
    assert Trainer(config, data, tmp_path / "second", EMBEDDINGS, start=weights).step == 1

    # The result can lie between the start and what was learned.
    alone = Trainer(config, data, tmp_path / "alone", EMBEDDINGS, start=weights)
    alone.run()
    between = Trainer(
        replace(config, start_share=0.25), data, tmp_path / "between", EMBEDDINGS, start=weights
    )
    between.run()
    results = [
        load_checkpoint(tmp_path / name / "egmt.safetensors")[0].state_dict()
        for name in ("first", "alone", "between")
    ]
    for name, value in results[2].items():
        if not value.is_floating_point():
            continue
        expected = torch.lerp(results[0][name], results[1][name], 0.75)
        torch.testing.assert_close(value, expected, msg=name)
    assert not torch.equal(results[1]["decoder.output.weight"], results[0]["decoder.output.weight"])
    with pytest.raises(ConfigError, match="start_share is 0.25 without --start"):
        Trainer(replace(config, start_share=0.25), data, tmp_path / "lost", EMBEDDINGS)

    wider = replace(config, network=config.network | {"decoder_width": 16})
    with pytest.raises(ConfigError, match="start from weights of that shape"):
        Trainer(wider, data, tmp_path / "wider", EMBEDDINGS, start=weights)
    with pytest.raises(CheckpointError, match="no no.json beside it"):
        Trainer(config, data, tmp_path / "none", EMBEDDINGS, start=tmp_path / "no.safetensors")


def test_each_look_learns_the_labels_by_itself(data: Path, config: TrainingConfig) -> None:
    """Averaged alone, one look could lean on the other and would add nothing."""
    network = EGMT(EGMTConfig.from_dict(config.network), torch.from_numpy(EMBEDDINGS))
    images = torch.rand(2, 1, 64, 64), torch.rand(2, 3, 64, 64)
    output = network(*images)
    torch.testing.assert_close(output.logits, output.looks.mean(0))
    target = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 1.0]])[:, : output.logits.shape[1]]
    output.looks.retain_grad()
    label_loss(output.looks, target.expand_as(output.looks)).backward()
    known = (target >= 0).expand_as(output.looks)
    assert (output.looks.grad[known] != 0).all() and (output.looks.grad[~known] == 0).all()


def test_a_data_set_can_have_a_balance_of_its_own(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    balance = {"A": {"qabf": 1.5}, "B": {"qabf": 3.0, "ssim": 0.5}}
    trainer = Trainer(replace(config, balance=balance), data, tmp_path / "run", EMBEDDINGS)
    samples = [trainer.pairs[0], trainer.thermal_only[0]]
    assert Trainer(config, data, tmp_path / "plain", EMBEDDINGS)._balance(samples) == {}
    found = {name: factors.tolist() for name, factors in trainer._balance(samples).items()}
    assert found == {"qabf": [1.5, 3.0], "ssim": [1.0, 0.5]}

    images = torch.rand(3, 2, 1, 136, 136, generator=torch.Generator().manual_seed(0))
    nothing, flag = torch.zeros_like(images[0]), torch.zeros(2, dtype=torch.bool)
    plain = fusion_terms(*images, nothing, flag, flag)
    single = [
        fusion_terms(*images[:, i : i + 1], nothing[:1], flag[:1], flag[:1]) for i in range(2)
    ]
    weighted = fusion_terms(*images, nothing, flag, flag, {"qabf": torch.tensor([1.5, 3.0])})
    expected = (1.5 * single[0]["qabf"] + 3.0 * single[1]["qabf"]) / 2
    torch.testing.assert_close(weighted["qabf"], expected)
    torch.testing.assert_close(weighted["ssim"], plain["ssim"])


def test_without_fusion_losses_the_labels_alone_are_learned(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    alone = load_training_config(config_path("folds.yaml")).loss
    config = replace(config, loss=alone, late_loss=None)
    trainer = Trainer(config, data, tmp_path / "run", EMBEDDINGS)
    terms = trainer._train_step()
    assert terms.keys() == {"total", "rate", "labels", "dense", "matte"}
    assert terms["total"] == pytest.approx(4.0 * terms["labels"] + terms["dense"], rel=1e-5)


def test_only_the_named_parts_are_trained(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    loss = replace(config.loss, **dict.fromkeys(vars(config.loss), 0.0) | {"matte": 1.0})
    config = replace(config, loss=loss, late_loss=None, only=("emphasis",), steps=6, faults=0.0)
    trainer = Trainer(config, data, tmp_path / "run", EMBEDDINGS)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    losses = [trainer._train_step()["matte"]]
    while trainer.step < config.steps:
        trainer.step += 1
        losses.append(trainer._train_step()["matte"])
    changed = {
        name.split(".")[0]
        for name, value in trainer.network.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"emphasis"} and any(losses)
    with pytest.raises(ConfigError, match="only names 'emphasys'; expected of thermal_encoder"):
        Trainer(replace(config, only=("emphasys",)), data, tmp_path / "other", EMBEDDINGS)


def test_views_without_outlines_say_nothing_of_pixels(
    data: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    network = Trainer(config, data, tmp_path / "run", EMBEDDINGS).network
    sample = Sample(
        "A",
        "a",
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.array([1, 0, -1], np.int8),
        {0: np.ones((64, 64), np.uint8)},
    )
    for outlined, says in ((True, True), (False, False)):
        batch = make_batch([replace(sample, outlined=outlined)], View(1, 64, 64), RNG(0))
        loss = matte_loss(network.emphasis, network(batch.thermal, batch.visible), batch)
        loss.backward()
        assert bool(loss > 0) == says
        gradient = network.emphasis.matte.weight.grad
        assert (gradient is not None and bool(gradient.any())) == says
        network.zero_grad()
