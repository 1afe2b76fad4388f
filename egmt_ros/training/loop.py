"""The training loop: resumable, logged, with averaged weights."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from egmt_ros.entities.text.vocabulary_embeddings import embed_vocabulary
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import ConfigError
from egmt_ros.model.checkpoint import CheckpointInfo, read_info, save_checkpoint
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.network import EGMT
from egmt_ros.training.ablation import FULL, ablated_loss, ablated_unguided, find_ablation
from egmt_ros.training.ablation_captions import CaptionBook, load_caption_book
from egmt_ros.training.augmentation import Batch, make_batch
from egmt_ros.training.config import TrainingConfig
from egmt_ros.training.data import Sample, TrainingData, load_training_data
from egmt_ros.training.losses import total_loss
from egmt_ros.training.pretrained import (
    imagenet_weights,
    start_from_checkpoint,
    start_from_imagenet,
)
from egmt_ros.training.run_record import RECORD_NAME, RunRecord, budget, write_record
from egmt_ros.training.run_state import Stateful, forget_log_after, read_state, write_state
from egmt_ros.training.validation import Validation, best_thresholds, validate


class Trainer:
    """Trains one network into one run folder.

    The folder holds `state.pt` (to resume), `log.jsonl` (a line each `LOG_EVERY` steps and each
    validation) and, at the end, `validation.json` and `egmt.safetensors` with its JSON. An ablated
    network leaves no checkpoint: its weights would pass for a whole one's. Batches depend on the
    seed and the step alone, so a resumed run sees the batches that the interrupted one would have
    seen.

    Args:
        config: The training configuration.
        data: Folder of data sets.
        run: Run folder; a `state.pt` in it is resumed.
        embeddings: (E, text_width) of the vocabulary; None computes them.
        ablation: What is cut; see `egmt_ros.training.ablation`.
        captions: For the ablation that is told the captions; None computes them once for `run`.
        samples: What to learn from and to be validated on; None loads train and val of `data`.
        start: Checkpoint to start from; None starts anew. Its vocabulary may be another one.
    """

    LOG_EVERY = 20

    def __init__(
        self,
        config: TrainingConfig,
        data: Path,
        run: Path,
        embeddings: np.ndarray | None = None,
        ablation: str = FULL,
        captions: CaptionBook | None = None,
        samples: TrainingData | None = None,
        start: Path | None = None,
    ) -> None:
        self.ablation = ablation
        cut = find_ablation(ablation)
        self.loss_weights = ablated_loss(cut, config.loss)
        self.late_loss_weights = ablated_loss(
            cut, config.late_loss.loss if config.late_loss else config.loss
        )
        self.unguided = ablated_unguided(cut, config)
        self.config = config
        self.run_folder = run
        self.vocabulary: Vocabulary = load_vocabulary(config.vocabulary)
        self.overlaps = overlap_table(self.vocabulary, config.overlaps)
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        samples = samples or load_training_data(
            data, self.vocabulary, config.masks, config.annotations
        )
        hidden = entity_indices(self.vocabulary, config.left_out)
        self.pairs = without_entities(samples.pairs, hidden)
        self.thermal_only = without_entities(samples.thermal_only, hidden)
        self.validation_pairs = samples.validation
        self.captions: CaptionBook | None = None
        if cut.captions:
            known = [*self.pairs, *self.validation_pairs]
            encoder, cache = self.vocabulary.text_encoder, run / "captions.npz"
            self.captions = captions or load_caption_book(data, known, encoder, cache)
        if embeddings is None:
            embeddings = embed_vocabulary(self.vocabulary)
        shape = EGMTConfig.from_dict(config.network)
        prior = torch.from_numpy(log_odds(np.array([s.target for s in self.pairs])))
        seen = [i for i in range(len(prior)) if i not in hidden]
        prior[list(hidden)] = prior[seen].mean()
        self.network = EGMT(shape, torch.from_numpy(embeddings), prior).to(self.device)
        backbones = [self.network.thermal_encoder.backbone, self.network.visible_encoder.backbone]
        self.start = None if start is None else read_info(start).model_id
        if config.start_share and start is None:
            raise ConfigError(f"start_share is {config.start_share:g} without --start; give both")
        if start is not None:
            start_from_checkpoint(self.network, self.vocabulary.hash, start)
        elif config.pretrained and not self._state_path.exists():
            weights = imagenet_weights()
            for backbone in backbones:
                start_from_imagenet(backbone, weights)
        cut.change(self.network)
        self.trained = trained_parts(self.network, config.only)
        self.network.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._start_weights = copy.deepcopy(self.average.state_dict()) if config.start_share else {}
        inside = {id(p) for backbone in backbones for p in backbone.parameters()}
        learning = [p for p in self.network.parameters() if p.requires_grad]
        groups = []
        for share, chosen in (
            (1.0, [p for p in learning if id(p) not in inside]),
            (config.backbone_rate, [p for p in learning if id(p) in inside]),
        ):
            for decay, matrices in ((config.weight_decay, True), (0.0, False)):
                params = [p for p in chosen if (p.ndim > 1) == matrices]
                groups.append({"params": params, "weight_decay": decay, "rate_share": share})
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.step = 0
        self._resume()

    def run(self) -> CheckpointInfo | None:
        """Train to the last step, validate, write the record and, of the full network, weights."""
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
        result = self._validation()
        info = None
        if self.ablation == FULL:
            info = self.export(self.run_folder / "egmt.safetensors", self.config.name, result)
        write_record(self.run_folder / RECORD_NAME, self._record(result))  # last: all is there
        return info

    def validate(self) -> dict[str, Any]:
        """Validate the averaged weights, log and return the summary."""
        result = self._validation()
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

    def export(self, path: Path, name: str, result: Validation | None = None) -> CheckpointInfo:
        """Write the resulting weights as a checkpoint, thresholds chosen on the val split.

        Args:
            path: Checkpoint to write.
            name: Name of the model.
            result: What the averaged weights reach on the val split; None finds out.

        Raises:
            ConfigError: The network is an ablated one.
        """
        if self.ablation != FULL:
            raise ConfigError(
                f"the network is ablated ({self.ablation}), and a checkpoint of it would pass for "
                f"a whole one; train with ablation {FULL!r} to export"
            )
        result = result or self._validation()
        network = self._result()
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
                "start": self.start,
                "left_out": list(self.config.left_out),
                "loss": asdict(self.config.loss),
                "val_macro_ap": round(result.macro_ap, 4),
                "val_fusion": result.fusion,
            },
        )
        return save_checkpoint(path, network, info)

    def budget(self) -> dict[str, Any]:
        """What runs have in common that can be compared; see `run_record.budget`."""
        return budget(self.config, self.vocabulary.hash, self.pairs, self.thermal_only)

    def _result(self) -> EGMT:
        """The averaged weights, between them and the start's as far as `start_share` says.

        Between a network and what it was fine-tuned to often lies one that has most of both:
        Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
        """
        network = copy.deepcopy(self.average).cpu().to(memory_format=torch.contiguous_format)
        if self.config.start_share:
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(self._start_weights[name].cpu(), self.config.start_share)
        return network

    def _validation(self) -> Validation:
        return validate(self._result(), self.validation_pairs, self._tell)

    def _record(self, result: Validation) -> RunRecord:
        return RunRecord(
            ablation=self.ablation,
            seed=self.config.seed,
            config=self.budget(),
            parameters=sum(p.numel() for p in self.network.parameters()),
            entities=self.vocabulary.names,
            pairs=result.pairs,
            metrics=result.metrics,
            scores=result.scores,
            targets=result.targets,
            probabilities=result.probabilities,
        )

    def _tell(self, network: EGMT, samples: Sequence[Sample]) -> None:
        """Tell the network the captions of the samples it is to fuse next, if it asks for them."""
        if self.captions is not None:
            network.guidance.ask(self.captions.of(samples).to(network.prior.device))

    def _localised(self) -> tuple[str, ...]:
        """Entities that are drawn in some pair."""
        drawn = {i for s in self.pairs for i, mask in s.masks.items() if mask.any()}
        return tuple(self.vocabulary.names[i] for i in sorted(drawn))

    def _train_step(self) -> dict[str, float]:
        progress = self.step / self.config.steps
        rate = self.config.learning_rate * min(1.0, (self.step + 1) / self.config.warm_up)
        rate *= 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * progress))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_share"]
        for part in self.trained:
            part.train()
        if progress >= self.config.freeze_norms_at:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        batch, samples = self._batch()
        torch.manual_seed(self.config.seed + self.step)  # dropout
        unguided = self._unguided(batch)
        self._tell(self.network, samples)
        output = self.network(
            batch.thermal, batch.visible, entity_weights=(~unguided).float().unsqueeze(1)
        )
        late = self.config.late_loss is not None and self.step >= self.config.late_loss.from_step
        weights = self.late_loss_weights if late else self.loss_weights
        loss, terms = total_loss(
            output,
            self.network.emphasis,
            batch,
            weights,
            unguided,
            self._balance(samples),
            self.config.label_smoothing,
        )
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
        """Views for one step, and what each is a view of."""
        rng = np.random.default_rng([self.config.seed, self.step])
        large = rng.random() < self.config.large.share
        view = self.config.large if large else self.config.small
        extra = min(0 if large else self.config.thermal_only, len(self.thermal_only))
        chosen = _draw(self.pairs, view.batch - extra, rng) + _draw(self.thermal_only, extra, rng)
        batch = make_batch(chosen, view, rng, self.overlaps, self.config.faults)
        moved = {name: value.to(self.device) for name, value in vars(batch).items()}
        return Batch(**moved), chosen

    def _unguided(self, batch: Batch) -> torch.Tensor:
        """(B,) bool: the views, of those with drawn entities, that are fused without entities."""
        drawn = batch.salient.flatten(1).any(1)
        chance = torch.rand(len(drawn)).to(drawn.device)
        return drawn & (chance < self.unguided)

    def _balance(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Term -> (B,) factors of the samples' data sets."""
        own = [self.config.balance.get(sample.dataset, {}) for sample in samples]
        terms = {term for factors in own for term in factors}
        return {
            term: torch.tensor([factors.get(term, 1.0) for factors in own], device=self.device)
            for term in sorted(terms)
        }

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
        write_state(self._state_path, self.step, self._identity(), self._stateful())

    def _stateful(self) -> dict[str, Stateful]:
        """All that training changes, by name."""
        return {"network": self.network, "average": self.average, "optimizer": self.optimizer}

    def _identity(self) -> dict[str, Any]:
        """What a state must have been started with to be resumed."""
        return {"ablation": self.ablation, "seed": self.config.seed}

    def _resume(self) -> None:
        if not self._state_path.exists():
            return
        given = self.network.embeddings.clone()
        learned = isinstance(self.network.embeddings, nn.Parameter)
        self.step = read_state(self._state_path, self._identity(), self._stateful(), self.device)
        if not learned and not torch.equal(given, self.network.embeddings):
            raise ConfigError(
                f"{self._state_path} was trained with another vocabulary than "
                f"{self.config.vocabulary}; give another --run folder, or the vocabulary it was "
                "started with"
            )
        forget_log_after(self._log_path, self.step)

    @property
    def _state_path(self) -> Path:
        return self.run_folder / "state.pt"

    @property
    def _log_path(self) -> Path:
        return self.run_folder / "log.jsonl"

    def _log(self, entry: dict[str, Any]) -> None:
        with self._log_path.open("a") as log:
            log.write(json.dumps(entry) + "\n")


def trained_parts(network: EGMT, names: Sequence[str]) -> list[nn.Module]:
    """The parts of a network that are to be trained; the parameters of the others are fixed.

    Args:
        network: Put into evaluation mode, so that what is not trained stays as it is.
        names: Of the network's parts ("label_head", "emphasis", ...); none: all of it.

    Raises:
        ConfigError: The network has no such part.
    """
    network.eval()
    if not names:
        return [network]
    parts = dict(network.named_children())
    for name in names:
        if name not in parts:
            raise ConfigError(f"only names {name!r}; expected of {', '.join(parts)}")
    network.requires_grad_(False)
    return [parts[name].requires_grad_() for name in names]


def entity_indices(vocabulary: Vocabulary, names: Sequence[str]) -> frozenset[int]:
    """Indices of entities.

    Raises:
        ConfigError: The vocabulary lacks one, or it has no other.
    """
    for name in names:
        if name not in vocabulary.names:
            raise ConfigError(f"left_out names {name!r}, which is not in the vocabulary")
    if names and set(names) == set(vocabulary.names):
        raise ConfigError("left_out names every entity of the vocabulary; leave some to train on")
    return frozenset(map(vocabulary.names.index, names))


def without_entities(samples: Sequence[Sample], hidden: Collection[int]) -> list[Sample]:
    """The samples, with nothing known of the entities `hidden`."""
    if not hidden:
        return list(samples)
    return [sample.without(hidden) for sample in samples]


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
