"""The ground truth of a replay: found as asked for, written beside its other tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import BagError, DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_topics import FoundTopic, find_truth_topic
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.evaluation.replay.run import load_run
from egmt_ros.evaluation.replay.tables import FRAMES, TRUTH, read_table
from egmt_ros.evaluation.replay.truth import write_truth
from egmt_ros.evaluation.replay.truth_sources import (
    truth_from_bag,
    truth_from_file,
    truth_vocabulary,
)
from egmt_ros.resources import config_path


def check_truth(request: ReplayRequest) -> None:
    """See before a long replay whether its ground truth can be used.

    Raises:
        BagError: The topic that was asked for is missing or of another type, or several might be
            meant.
        DataError: The annotation file is missing or damaged, or names no times.
    """
    if request.truth_file is not None:
        truth_from_file(request.truth_file, load_vocabulary(config_path("vocabulary.yaml")))
    else:
        truth_topic(request.bag, request.truth_topic)


def truth_topic(bag: Path, asked: str | None) -> FoundTopic | None:
    """The topic of the ground truth; None where there is none.

    Args:
        bag: To look into.
        asked: See `find_truth_topic`.

    Raises:
        BagError: The bag cannot be read, the topic is missing or of another type, or several might
            be meant.
    """
    with BagSource(bag) as source:
        return find_truth_topic(source, asked)


def add_truth(request: ReplayRequest) -> None:
    """Write truth.csv to the folder of a replay, and name it in its run.json.

    Where the truth cannot be used, what was replayed is kept, and run.json has the problem.

    Raises:
        DataError: The folder holds no replay.
    """
    run = load_run(request.out)
    vocabulary = truth_vocabulary(run.entities)
    topics = dict(run.topics)
    (request.out / TRUTH).unlink(missing_ok=True)
    try:
        if request.truth_file is not None:
            truth = truth_from_file(request.truth_file, vocabulary)
        else:
            topic = truth_topic(request.bag, request.truth_topic)
            if topic is None:
                return
            topics["truth"] = {"name": topic.name, "type": topic.msgtype, "how": topic.how}
            truth = truth_from_bag(request.bag, topic.name, vocabulary)
        notes = write_truth(request.out, truth, read_table(request.out / FRAMES))
    except (BagError, DataError) as error:
        replace(run, problems=(*run.problems, f"ground truth: {error}")).save(request.out)
        return
    # A complete run that was to be resumed has been looked at before.
    new = tuple(note for note in notes if note not in run.notes)
    replace(run, topics=topics, notes=(*run.notes, *new)).save(request.out)
