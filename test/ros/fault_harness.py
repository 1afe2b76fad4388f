"""What must hold after every fault of the campaign (`test_faults_*.py`).

The node is alive, the account of every frame is exact, memory is flat, the next good pair is
fused. Memory is judged in two ways: no frame but those of the last pair is alive any more, counted
by their tickets among the objects of this process; and over repeated rounds of a fault
the blocks that Python has allocated grow by less than a frame that is kept would cost.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter

from egmt_ros.pipeline.accounting import Ticket

MS = 1_000_000
START = 1_700_000_000_000_000_000
PATIENCE = 40.0  # s; nothing here is about speed

# One frame that is kept costs more blocks than this (ticket, frame, header, view, message).
BLOCKS_OF_A_FRAME = 10
# What may come and go by itself: windows of percentiles that fill up, logging, other threads.
BLOCKS_IDLE = 4000


class Campaign:
    """A rig, and the checks after a fault.

    Attributes:
        stamp: Of the next pair, ns; grows by itself.
        sent: Frames that were sent through this object, by side.
    """

    def __init__(self, rig) -> None:
        self.rig = rig
        self.stamp = START
        self.sent: Counter[str] = Counter()

    def start(self, engine=None, parameters=(), **kwargs):
        """Start the node and fuse a first pair."""
        self.rig.start(engine, parameters, **kwargs)
        self.good_pair()

    def send(self, side, stamp=None, **kwargs):
        """Send one image over DDS."""
        self.rig.send(side, self.stamp if stamp is None else stamp, **kwargs)
        self.sent[side] += 1

    def send_pair(self, stamp=None, thermal=None, visible=None):
        """Send two images of one stamp over DDS; without a stamp 100 ms after those before.

        Args:
            stamp: ns.
            thermal, visible: Arguments of `Rig.send` for that image.
        """
        if stamp is None:
            self.stamp += 100 * MS
            stamp = self.stamp
        self.send("thermal", stamp, **(thermal or {}))
        self.send("visible", stamp, **(visible or {}))
        return stamp

    def good_pair(self):
        """Send a good pair; it must be fused and published with its stamp."""
        stamp = self.send_pair()
        self.rig.wait(
            lambda: stamp in self.fused(), f"the pair of {stamp} is fused: {self.counts()}",
            PATIENCE,
        )  # fmt: skip
        return stamp

    def fused(self):
        """Stamps of the fused images that have come, ns."""
        return [
            message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
            for message in self.rig.messages["image"]
        ]

    def counts(self):
        """The node's account, by side."""
        return {side: self.rig.account(side) for side in ("thermal", "visible")}

    def wait_count(self, side, name, at_least):
        """Wait until a counter of the account is as high as this: the fault has arrived."""
        self.rig.wait(
            lambda: self.rig.account(side).get(name, 0) >= at_least,
            f"{name} of {side} is {at_least}: {self.counts()}",
            PATIENCE,
        )

    def arrived(self):
        """Wait until every frame that was sent is received, so that DDS loses none."""
        for side, count in self.sent.items():
            self.wait_count(side, "received", count)

    def settled(self):
        """Wait until every frame that was sent is received and has its outcome."""
        self.arrived()
        self.rig.wait(
            lambda: not any(counts["in_flight"] for counts in self.counts().values()),
            f"nothing is in flight: {self.counts()}", PATIENCE,
        )  # fmt: skip

    def survived(self, *, lost=False):
        """Check all that must hold after a fault.

        Args:
            lost: Whether DDS may have lost frames; else every sent one must be received.
        """
        rig = self.rig
        self.good_pair()  # comes after all that was sent before
        rig.wait(
            lambda: not any(counts["in_flight"] for counts in self.counts().values()),
            "nothing is in flight", PATIENCE,
        )  # fmt: skip
        for side, counts in self.counts().items():
            outcomes = ("fused", "unpaired", "superseded", "rejected", "inactive", "disabled",
                        "passthrough")  # fmt: skip
            assert counts["received"] == sum(counts[name] for name in outcomes), counts
            if lost:
                assert counts["received"] <= self.sent[side], (counts, self.sent)
            else:
                assert counts["received"] == self.sent[side], (counts, self.sent)
        assert rig.node.phase == "active"
        seen = len(rig.messages["diagnostics"])
        rig.wait(lambda: len(rig.messages["diagnostics"]) > seen, "diagnostics go on", PATIENCE)
        self.forget()
        rig.wait(
            lambda: self.frames_alive() <= 2, f"frames are let go: {self.frames_alive()}", PATIENCE
        )

    def forget(self):
        """Let the rig and the stand-in engine keep nothing."""
        for key in ("image", "entities"):
            self.rig.messages[key].clear()
        for kept in (self.rig.engine.ranges, self.rig.engine.thermal, self.rig.engine.weights):
            kept.clear()

    def frames_alive(self):
        """How many frames of the node are alive: their tickets among all objects."""
        gc.collect()
        account = self.rig.node._account
        tickets = [thing for thing in gc.get_objects() if type(thing) is Ticket]
        return sum(ticket._account is account for ticket in tickets)

    def repeat(self, fault, rounds=3, *, lost=False):
        """Inject a fault again and again, survive it each time, and let memory stay flat.

        Args:
            fault: Called with the number of the round; sends its frames through this object.
            rounds: At least three; the first one may allocate what stays.
            lost: See `survived`.
        """
        blocks, frames = [], []
        for number in range(rounds):
            fault(number)
            self.survived(lost=lost)
            del self.rig.messages["diagnostics"][:-1]
            gc.collect()
            blocks.append(sys.getallocatedblocks())
            frames.append(sum(self.sent.values()))
        grown = blocks[-1] - blocks[0]
        limit = BLOCKS_IDLE + BLOCKS_OF_A_FRAME * (frames[-1] - frames[0])
        assert grown < limit, f"allocated blocks grew by {grown}: {blocks}, frames {frames}"
