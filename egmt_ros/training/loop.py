"""The training loop: resumable, logged, with averaged weights."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from egmt_ros.entities.text_encoder import embed_vocabulary
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.model.checkpoint import CheckpointInfo, save_checkpoint
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.network import EGMT
from egmt_ros.training.augmentation import Batch, make_batch
from egmt_ros.training.config import TrainingConfig
from egmt_ros.training.data import Sample, load_split
from egmt_ros.training.distillation import Distillation, Teacher
from egmt_ros.training.losses import total_loss
from egmt_ros.training.validation import best_thresholds, validate


class Trainer:
    """Trains one network into one run folder.

    The folder holds `state.pt` (to resume), `log.jsonl` (a line each `LOG_EVERY` steps and each
    validation) and, at the end, `egmt.safetensors` with its JSON. Batches depend on the seed and
    the step alone, so a resumed run sees the batches that the interrupted one would have seen.

    Args:
        config: The training configuration.
        data: Folder of data sets.
        run: Run folder; a `state.pt` in it is resumed.
        embeddings: (E, text_width) of the vocabulary; None computes them.
    """

    LOG_EVERY = 20

    def __init__(
        self, config: TrainingConfig, data: Path, run: Path, embeddings: np.ndarray | None = None
    ) -> None:
        self.config = config
        self.run_folder = run
        self.vocabulary: Vocabulary = load_vocabulary(config.vocabulary)
        self.overlaps = overlap_table(self.vocabulary, config.overlaps)
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        samples = load_split(data, "train", self.vocabulary, config.masks)
        self.pairs = [s for s in samples if s.visible is not None]
        self.thermal_only = [s for s in samples if s.visible is None]
        if not self.pairs:
            raise DataError(f"{data} has no pairs to train on, only thermal frames")
        self.validation_pairs = load_split(data, "val", self.vocabulary, config.masks)
        if embeddings is None:
            embeddings = embed_vocabulary(self.vocabulary)
        shape = EGMTConfig.from_dict(config.network)
        prior = torch.from_numpy(log_odds(np.array([s.target for s in self.pairs])))
        self.network = EGMT(shape, torch.from_numpy(embeddings), prior).to(self.device)
        self.network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.distillation = Distillation(shape.widths[2]).to(self.device)
        self.distillation.watch(self.network)
        self.teacher: Teacher | None = None
        if config.loss.distillation:
            self.teacher = Teacher(samples, run, self.device)
        learned = [*self.network.parameters(), *self.distillation.parameters()]
        decayed = [p for p in learned if p.ndim > 1]
        others = [p for p in learned if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.step = 0
        self._resume()

    def run(self) -> CheckpointInfo:
        """Train to the last step, validate and write the checkpoint."""
        self.run_folder.mkdir(parents=True, exist_ok=True)
        with tqdm(total=self.config.steps, initial=self.step, unit="step") as bar:
            while self.step < self.config.steps:
                terms = self._train_step()
                self.step += 1
                bar.update()
                if self.step % self.LOG_EVERY == 0:
                    bar.set_postfix(loss=f"{terms['total']:.3f}")
                    self._log({"step": self.step, **{k: round(v, 5) for k, v in terms.items()}})
                if self.step % self.config.checkpoint_every == 0:
                    self._save_state()
                if self.step % self.config.validate_every == 0:
                    self.validate()
        self._save_state()
        return self.export(self.run_folder / "egmt.safetensors", "egmt-base")

    def validate(self) -> dict[str, Any]:
        """Validate the averaged weights, log and return the summary."""
        result = validate(copy.deepcopy(self.average).cpu(), self.validation_pairs)
        summary = {
            "step": self.step,
            "val_macro_ap": round(result.macro_ap, 4),
            "val_fusion": result.fusion,
            "val_ap": {
                self.vocabulary.names[i]: round(v, 3) for i, v in result.average_precision.items()
            },
        }
        self._log(summary)
        return summary

    def export(self, path: Path, name: str) -> CheckpointInfo:
        """Write the averaged weights as a checkpoint, thresholds chosen on the val split."""
        network = copy.deepcopy(self.average).cpu().to(memory_format=torch.contiguous_format)
        result = validate(network, self.validation_pairs)
        info = CheckpointInfo(
            name=name,
            network=network.config,
            names=self.vocabulary.names,
            thresholds=tuple(best_thresholds(result.targets, result.probabilities)),
            text_encoder=self.vocabulary.text_encoder,
            template=self.vocabulary.template,
            vocabulary_hash=self.vocabulary.hash,
            localised=self._localised(),
            training={
                "steps": self.step,
                "pairs": len(self.pairs),
                "thermal_only": len(self.thermal_only),
                "seed": self.config.seed,
                "loss": asdict(self.config.loss),
                "val_macro_ap": round(result.macro_ap, 4),
                "val_fusion": result.fusion,
            },
        )
        return save_checkpoint(path, network, info)

    def _localised(self) -> tuple[str, ...]:
        """Entities that are drawn in some pair."""
        drawn = {i for s in self.pairs for i, mask in s.masks.items() if mask.any()}
        return tuple(self.vocabulary.names[i] for i in sorted(drawn))

    def _train_step(self) -> dict[str, float]:
        progress = self.step / self.config.steps
        rate = self.config.learning_rate * min(1.0, (self.step + 1) / self.config.warm_up)
        rate *= 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * progress))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        if progress >= self.config.freeze_norms_at:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        batch, samples = self._batch()
        torch.manual_seed(self.config.seed + self.step)  # dropout
        unguided = self._unguided(batch)
        output = self.network(
            batch.thermal, batch.visible, entity_weights=(~unguided).float().unsqueeze(1)
        )
        more = {}
        if self.teacher is not None:
            cells = batch.dense.shape[-2:]
            features = self.teacher.look(samples, batch.place, *cells)
            more["distillation"] = self.distillation.loss(*features, batch.paired)
        loss, terms = total_loss(output, batch, self.config.loss, unguided, more)
        if not torch.isfinite(loss):
            raise ConfigError(
                f"loss is {loss.item()} at step {self.step}: {terms}; lower learning_rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self._update_average()
        return {"total": loss.item(), "rate": rate, **terms}

    def _batch(self) -> tuple[Batch, list[Sample]]:
        rng = np.random.default_rng([self.config.seed, self.step])
        large = rng.random() < self.config.large.share
        view = self.config.large if large else self.config.small
        extra = min(0 if large else self.config.thermal_only, len(self.thermal_only))
        chosen = _draw(self.pairs, view.batch - extra, rng) + _draw(self.thermal_only, extra, rng)
        batch = make_batch(chosen, view, rng, self.overlaps)
        moved = {name: value.to(self.device) for name, value in vars(batch).items()}
        return Batch(**moved), chosen

    def _unguided(self, batch: Batch) -> torch.Tensor:
        """(B,) bool: the views, of those with drawn entities, that are fused without entities."""
        drawn = batch.salient.flatten(1).any(1)
        chance = torch.rand(len(drawn)).to(drawn.device)
        return drawn & (chance < self.config.unguided)

    def _update_average(self) -> None:
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(
                self.average.state_dict().values(),
                self.network.state_dict().values(),
                strict=True,
            ):
                if mean.is_floating_point():
                    mean.lerp_(value, 1.0 - decay)
                else:
                    mean.copy_(value)

    def _save_state(self) -> None:
        path = self.run_folder / "state.pt"
        part = path.with_name("state.pt.part")
        torch.save(
            {
                "step": self.step,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "distillation": self.distillation.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
            part,
        )
        os.replace(part, path)

    def _resume(self) -> None:
        path = self.run_folder / "state.pt"
        if not path.exists():
            return
        embeddings = self.network.embeddings.clone()
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.distillation.load_state_dict(state["distillation"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = int(state["step"])
        except (
            RuntimeError,
            KeyError,
            ValueError,
            TypeError,
            EOFError,
            OSError,
            pickle.UnpicklingError,
        ) as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"{path} belongs to another network or is damaged ({reason}); "
                "give another --run folder, or remove it"
            ) from error
        if not torch.equal(embeddings, self.network.embeddings):
            raise ConfigError(
                f"{path} was trained with another vocabulary than {self.config.vocabulary}; "
                "give another --run folder, or the vocabulary it was started with"
            )
        self._forget_log_after(self.step)

    def _forget_log_after(self, step: int) -> None:
        """Drop what a killed run logged behind its last state: it is logged again."""
        path = self.run_folder / "log.jsonl"
        if path.exists():
            lines = path.read_text().splitlines()
            kept = [
                line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step
            ]
            path.write_text("".join(f"{line}\n" for line in kept))

    def _log(self, entry: dict[str, Any]) -> None:
        with (self.run_folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")


def overlap_table(vocabulary: Vocabulary, overlaps: dict[str, list[str]]) -> np.ndarray:
    """(E, E) bool, symmetric: which entities may be at one place.

    Raises:
        ConfigError: A name is not in the vocabulary.
    """
    table = np.eye(len(vocabulary.names), dtype=bool)
    for first, others in overlaps.items():
        for second in others:
            for name in (first, second):
                if name not in vocabulary.names:
                    raise ConfigError(f"overlaps names {name!r}, which is not in the vocabulary")
            i, j = vocabulary.names.index(first), vocabulary.names.index(second)
            table[i, j] = table[j, i] = True
    return table


def log_odds(targets: np.ndarray) -> np.ndarray:
    """(E,) float32 log odds of each entity from (N, E) targets, with one pseudo-count each way."""
    positive, negative = (targets == 1).sum(0) + 1.0, (targets == 0).sum(0) + 1.0
    return np.log(positive / negative).astype(np.float32)


def _draw(samples: list[Sample], count: int, rng: np.random.Generator) -> list[Sample]:
    """Draw with replacement; a data set's share grows with the square root of its size."""
    if not count:
        return []
    sizes: dict[str, int] = {}
    for sample in samples:
        sizes[sample.dataset] = sizes.get(sample.dataset, 0) + 1
    chance = np.array([sizes[s.dataset] ** -0.5 for s in samples])
    return [samples[i] for i in rng.choice(len(samples), count, p=chance / chance.sum())]
