"""Noun phrases by a sequence-to-sequence model, such as Flan-T5, that is asked for a list."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from egmt_ros.entities.captions.model_source import ModelSource, find_model, one_line_of
from egmt_ros.entities.extraction.negation import denied_words
from egmt_ros.entities.extraction.phrases import Phrase
from egmt_ros.entities.extraction.words import singular, words_of
from egmt_ros.errors import CheckpointError, ConfigError, MissingDependencyError

PROMPT = "List the people, animals and things that this sentence names, with commas: {caption}"
"""The prompt where none is given; {caption} is where the caption goes."""
MAX_TOKENS = 96
"""Length of the longest list, in tokens."""
BATCH = 16
"""Captions at a time where nothing else is said."""
_DENYING = frozenset({"no", "not", "without", "neither", "nor", "zero"})
_SEPARATORS = re.compile(r"[,;|\n\r•·]|(?<!\w)[-*](?=\s)")
_NUMBERING = re.compile(r"^\(?\d{1,2}\s*[.):]\s*")
_LABEL = re.compile(r"^[A-Za-z ]{1,40}:\s*(?=\S)")
_QUOTES = " \t.\"'“”‘’`[](){}<>"


class Seq2SeqExtractor:
    """Asks a model for a list, and keeps of it what the caption bears out.

    Models add things that go well with the rest, and forget that "no cars" are none. So a phrase
    counts only if one of its words stands in the caption, and is negated if the caption denies
    its last word wherever that stands.

    Args:
        folder_or_id: Folder of a model that AutoModelForSeq2SeqLM loads, or its id on the hub.
        prompt: What it is asked, with {caption} once.
        device: "auto", "cpu" or "cuda:N".
        batch_size: Captions at a time.

    Raises:
        ConfigError: There is no such folder or hub model, the network is missing, the prompt has
            no place for the caption, or the batch size is not positive.
        CheckpointError: It is no sequence-to-sequence model, or its weights are incomplete.
        DeviceError: The device is not there.
        MissingDependencyError: transformers is not installed.
    """

    name: str
    version: str

    def __init__(
        self,
        folder_or_id: str,
        prompt: str = PROMPT,
        device: str = "auto",
        batch_size: int = BATCH,
    ) -> None:
        if prompt.count("{caption}") != 1:
            raise ConfigError(
                f"prompt is {prompt!r}; expected a text with {{caption}} once, where the caption "
                "goes"
            )
        if batch_size < 1:
            raise ConfigError(f"batch size is {batch_size}; expected 1 or more")
        try:
            import torch  # noqa: F401
            import transformers  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError(
                f"noun phrases by a sequence-to-sequence model need transformers ({error}); "
                "pip install 'egmt_ros[annotate]' (from a checkout: make setup EXTRAS=annotate)"
            ) from error
        from egmt_ros.pipeline.devices import resolve_device

        source = find_model(folder_or_id)
        self._device = resolve_device(device)
        self._tokenizer, self._model = _load(source)
        self._model.to(self._device)
        self._prompt = prompt
        self._batch_size = batch_size
        asked = hashlib.sha256(prompt.encode()).hexdigest()[:8]
        self.name = "seq2seq"
        self.version = f"{source.label} prompt {asked}"

    def phrases(self, captions: Sequence[str]) -> list[list[Phrase]]:
        """Return the phrases of each caption, in the order of the model's list.

        Raises:
            CheckpointError: The model fails on a batch of captions.
        """
        found = []
        for start in range(0, len(captions), self._batch_size):
            batch = captions[start : start + self._batch_size]
            answers = self._answers([self._prompt.replace("{caption}", c) for c in batch])
            found += [borne_out(parse_list(a), c) for a, c in zip(answers, batch, strict=True)]
        return found

    def _answers(self, texts: list[str]) -> list[str]:
        import torch

        try:
            tokens = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
            with torch.inference_mode():
                made = self._model.generate(
                    input_ids=tokens["input_ids"].to(self._device),
                    attention_mask=tokens["attention_mask"].to(self._device),
                    max_new_tokens=MAX_TOKENS,
                    do_sample=False,
                )
        except Exception as error:  # whatever a model's own code fails with
            raise CheckpointError(
                f"model {self.version} failed on {len(texts)} captions ({type(error).__name__}: "
                f"{one_line_of(error)}); try a smaller batch, or another model"
            ) from error
        return self._tokenizer.batch_decode(made, skip_special_tokens=True)


def parse_list(answer: str) -> list[Phrase]:
    """Read a list that a model wrote: by commas, semicolons, lines, bullets or numbers.

    Args:
        answer: Such as "1. two cars\\n2. no people" or "Objects: a car, a tree."

    Returns:
        Its phrases in order, each once, without numbers, quotes and full stops; negated where the
        list itself says "no".
    """
    phrases: dict[Phrase, None] = {}
    for part in _SEPARATORS.split(_LABEL.sub("", answer.strip())):
        text = _NUMBERING.sub("", part.strip()).strip(_QUOTES)
        text = re.sub(r"^and\s+", "", text, flags=re.IGNORECASE)
        words = words_of(text)
        if not words:
            continue
        if words[0] in _DENYING and len(words) > 1:
            phrases[Phrase(text.split(None, 1)[-1], negated=True)] = None
        else:
            phrases[Phrase(text)] = None
    return list(phrases)


def borne_out(phrases: Sequence[Phrase], caption: str) -> list[Phrase]:
    """Keep the phrases of which a word stands in the caption; negate those that it denies.

    Args:
        phrases: As the model listed them.
        caption: What it was asked about.
    """
    words = [singular(word) for word in words_of(caption)]
    absent = denied_words(words)
    kept = []
    for phrase in phrases:
        own = [singular(word) for word in words_of(phrase.text)]
        if not set(own).isdisjoint(words):
            kept.append(phrase._replace(negated=phrase.negated or own[-1] in absent))
    return kept


def _load(source: ModelSource) -> tuple[Any, Any]:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    where = {
        "pretrained_model_name_or_path": source.location,
        "revision": source.revision or "main",
        "local_files_only": source.local_only,
        "trust_remote_code": False,
    }
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        model, info = AutoModelForSeq2SeqLM.from_pretrained(**where, output_loading_info=True)
    except ImportError as error:
        raise MissingDependencyError(
            f"model {source.label} needs a package that is not installed: {one_line_of(error)}"
        ) from error
    except Exception as error:  # transformers raises nearly everything
        raise CheckpointError(
            f"model {source.label} cannot be loaded ({type(error).__name__}: "
            f"{one_line_of(error)}); expected a sequence-to-sequence model with its tokenizer, "
            "such as google/flan-t5-base; see whether the folder is complete"
        ) from error
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise CheckpointError(
            f"the weights of model {source.label} lack {missing[0]} (and {len(missing) - 1} more), "
            "which would be random; download it again, or give another model"
        )
    return tokenizer, model.eval()
