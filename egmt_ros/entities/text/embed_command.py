"""`egmt annotate embed`: the embeddings of a vocabulary as a file."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt annotate embed`."""
    parser.add_argument(
        "--vocabulary", type=Path, required=True, metavar="FILE", help="YAML with the entities"
    )
    parser.add_argument(
        "--encoder",
        choices=("minilm", "clip"),
        help="text encoder (default: the one that the vocabulary names)",
    )
    parser.add_argument(
        "--model",
        metavar="FOLDER",
        help="its local folder or hub id (default: the vocabulary's text_model; minilm: its wheel)",
    )
    parser.add_argument(
        "--template",
        metavar="TEXT",
        help="text with {} for the name, several with | between them (default: the vocabulary's)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE.npz",
        help="for egmt fuse --embeddings and the node's entities.text_encoder: file:FILE.npz",
    )


def run(args: argparse.Namespace) -> int:
    """Write the file and tell what it holds; return the exit status.

    Raises:
        ConfigError: The vocabulary, model or template cannot be used.
        MissingDependencyError: transformers or the wheel is not installed.
    """
    from egmt_ros.entities.text.specification import make_text_encoder
    from egmt_ros.entities.vocabulary import load_vocabulary
    from egmt_ros.errors import ConfigError
    from egmt_ros.pipeline.embedding_file import EmbeddingFile

    vocabulary = load_vocabulary(args.vocabulary)
    kind = args.encoder or ("clip" if vocabulary.text_encoder.startswith("clip") else "minilm")
    model = args.model or vocabulary.text_model
    if kind == "clip" and not model:
        raise ConfigError("--encoder clip needs --model, a local folder or hub id of a CLIP model")
    encoder = make_text_encoder(
        f"{kind}:{model}" if model else kind, args.template or vocabulary.template
    )
    names = vocabulary.names
    made = EmbeddingFile(names, encoder.embed(names), encoder.name, encoder.template)
    made.write(args.out)
    print(
        f"{len(names)} entities, {made.width} numbers each: {args.out}\n"
        f"text_encoder: {made.name}\ntemplate: {made.template!r}\n"
        f"vocabulary hash: {made.vocabulary_hash}"
    )
    return 0
