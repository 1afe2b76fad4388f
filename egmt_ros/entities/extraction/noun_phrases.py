"""The extractors of noun phrases, and the one that a command is told to use."""

from __future__ import annotations

import argparse

from egmt_ros.entities.extraction.phrases import NounPhraseExtractor, Phrase
from egmt_ros.entities.extraction.seq2seq_extractor import BATCH, PROMPT, Seq2SeqExtractor
from egmt_ros.entities.extraction.spacy_extractor import SPACY_MODEL, SpacyExtractor
from egmt_ros.errors import ConfigError

__all__ = [
    "EXTRACTORS",
    "NounPhraseExtractor",
    "Phrase",
    "Seq2SeqExtractor",
    "SpacyExtractor",
    "add_extractor_arguments",
    "open_extractor",
]

EXTRACTORS = ("spacy", "seq2seq")
"""Names of the extractors, as commands know them."""


def add_extractor_arguments(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Add --extractor and what the extractors need.

    Args:
        parser: Of a command.
        several: Whether more than one extractor may be named.
    """
    parser.add_argument(
        "--extractor",
        choices=EXTRACTORS,
        **({"nargs": "+", "default": ["spacy"]} if several else {"default": "spacy"}),
        help="what finds the noun phrases (default: spacy)",
    )
    parser.add_argument(
        "--pipeline",
        default=SPACY_MODEL,
        metavar="NAME",
        help=f"spacy: package or folder of an English pipeline (default: {SPACY_MODEL})",
    )
    parser.add_argument(
        "--model",
        metavar="FOLDER_OR_ID",
        help="seq2seq: folder of the model, or its id on the Hugging Face hub",
    )
    parser.add_argument(
        "--prompt",
        default=PROMPT,
        metavar="TEXT",
        help="seq2seq: what it is asked, with {caption} for the caption (default: '%(default)s')",
    )
    parser.add_argument(
        "--device", default="auto", help="seq2seq: auto, cpu or cuda:N (default: auto)"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=BATCH,
        metavar="N",
        help=f"seq2seq: captions at once (default: {BATCH})",
    )


def open_extractor(name: str, args: argparse.Namespace) -> NounPhraseExtractor:
    """Open an extractor.

    Args:
        name: One of EXTRACTORS.
        args: With what add_extractor_arguments adds.

    Raises:
        ConfigError: seq2seq without a model; or as the extractor.
        CheckpointError, DeviceError, MissingDependencyError: As the extractor.
    """
    if name == "spacy":
        return SpacyExtractor(args.pipeline)
    if args.model is None:
        raise ConfigError(
            "--extractor seq2seq needs --model; give the folder of a sequence-to-sequence model, "
            "or a hub id such as google/flan-t5-base"
        )
    return Seq2SeqExtractor(args.model, args.prompt, args.device, args.batch_size)
