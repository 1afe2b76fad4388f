"""The DDS profile, shared memory and discovery, as the environment sets them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from egmt_ros.doctor.finding import Finding, ok, problem, warning

# Of Fast DDS, bytes; a colour image of 640x480 has 921600.
DEFAULT_SEGMENT = 512 * 1024
VGA_COLOUR = 640 * 480 * 3

RANGES = ("SUBNET", "LOCALHOST", "OFF", "SYSTEM_DEFAULT")
# Ports of higher domains meet the ephemeral ports of Linux.
LAST_PLAIN_DOMAIN, LAST_DOMAIN = 101, 232


@dataclass(frozen=True)
class Profile:
    """What a Fast DDS profile says about transports.

    Attributes:
        segment: Largest shared memory segment, bytes; None: it names none.
        addresses: Interfaces that it restricts itself to; empty: all.
        error: Why it cannot be read; empty where it can.
    """

    segment: int | None = None
    addresses: tuple[str, ...] = ()
    error: str = ""


def read_profile(path: Path) -> Profile:
    """Read the XML file of a profile; what is wrong with it is in `error`."""
    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        return Profile(error=error.strerror or str(error))
    except ElementTree.ParseError as error:
        return Profile(error=f"not XML: {error}")
    by_tag: dict[str, list[str]] = {}
    for element in root.iter():
        by_tag.setdefault(element.tag.rpartition("}")[2], []).append((element.text or "").strip())
    sizes = [int(text) for text in by_tag.get("segment_size", ()) if text.isdigit()]
    return Profile(max(sizes, default=None), tuple(by_tag.get("address", ())))


def check_profile(
    environment: Mapping[str, str],
    variables: Sequence[str],
    own: Path,
    read: Mapping[str, Profile],
) -> Finding:
    """Whether large images get through Fast DDS.

    Args:
        environment: Environment variables.
        variables: Names of the two variables of the profile.
        own: The package's own profile.
        read: What the files hold that the variables name, by file name.
    """
    name = "DDS profile"
    middleware = environment.get("RMW_IMPLEMENTATION", "")
    if middleware and "fastrtps" not in middleware:
        return ok(name, f"{middleware} is in use, profiles of Fast DDS do not matter")
    given = {variable: environment[variable] for variable in variables if environment.get(variable)}
    export = "; ".join(f"export {variable}={own}" for variable in variables)
    if not given:
        return warning(
            name,
            "none is set: the node takes its own, but what else starts here has"
            f" {DEFAULT_SEGMENT // 1024} KB of shared memory, and best-effort images get lost",
            f"where camera drivers start: {export}",
        )
    for variable, file in given.items():
        if read[file].error:
            return problem(name, f"{variable}={file}: {read[file].error}", export)
    if len(set(given.values())) > 1:
        return warning(
            name,
            f"the variables differ: {' and '.join(given.values())}; which one counts depends on"
            " the release of Fast DDS",
            "set both to the same file",
        )
    (file,) = set(given.values())
    profile = read[file]
    if len(given) < len(variables):
        lacking = next(variable for variable in variables if variable not in given)
        return warning(
            name,
            f"{file}, but {lacking} is not set: releases of Fast DDS read one or the other",
            f"export {lacking}={file}",
        )
    if (profile.segment or DEFAULT_SEGMENT) < 2 * VGA_COLOUR:
        return warning(
            name,
            f"{file} has a shared memory segment of"
            f" {(profile.segment or DEFAULT_SEGMENT) // 1024} KB, a colour image of 640x480 takes"
            f" {VGA_COLOUR // 1024} KB: best-effort images may get lost",
            f"give it a segment_size as in {own}",
        )
    if profile.addresses and all(address.startswith("127.") for address in profile.addresses):
        return warning(
            name,
            f"{file} keeps to {', '.join(profile.addresses)}: other machines do not see the node",
            f"for a robot: {export}",
        )
    return ok(name, f"{file}, segment {(profile.segment or DEFAULT_SEGMENT) / 2**20:.0f} MB")


def check_shared_memory(place: Path, free: int | None, needed: int) -> Finding:
    """Whether the profile's segments have room.

    Args:
        place: Where shared memory is, /dev/shm.
        free: Free bytes; None: there is no such place.
        needed: Bytes that sender and receiver take.
    """
    remedy = "give the container more: docker run --shm-size=512m (or --ipc=host)"
    if free is None:
        return warning(str(place), "is not there: DDS goes through the loopback interface", remedy)
    room = f"{free / 2**20:.0f} MB free"
    if free < needed:
        found = f"{room}, the profile needs {needed / 2**20:.0f} MB: large images may get lost"
        return warning(str(place), found, remedy)
    return ok(str(place), room)


def check_domain(environment: Mapping[str, str]) -> Finding:
    """Whether ROS_DOMAIN_ID is a domain."""
    text = environment.get("ROS_DOMAIN_ID", "") or "0"
    if not (text.isascii() and text.isdigit()) or int(text) > LAST_DOMAIN:
        found = f"ROS_DOMAIN_ID={text}; expected 0 to {LAST_DOMAIN}"
        return problem("domain", found, "export ROS_DOMAIN_ID=0, or that of the cameras")
    if int(text) > LAST_PLAIN_DOMAIN:
        return warning(
            "domain",
            f"{text}: its ports meet the ephemeral ports of Linux",
            f"take one up to {LAST_PLAIN_DOMAIN}",
        )
    return ok("domain", f"{text}, cameras and node must have the same")


def check_discovery(environment: Mapping[str, str]) -> Finding:
    """How far nodes see each other."""
    name = "discovery"
    server = environment.get("ROS_DISCOVERY_SERVER", "")
    if server:
        return ok(name, f"through the server {server}, which every process must name")
    everywhere = "unset it to see other machines"
    if environment.get("ROS_LOCALHOST_ONLY", "") == "1":
        return warning(name, "ROS_LOCALHOST_ONLY=1: this machine only", everywhere)
    reach = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "") or "SUBNET"
    if reach not in RANGES:
        return problem(
            name,
            f"ROS_AUTOMATIC_DISCOVERY_RANGE={reach}; expected one of {', '.join(RANGES)}",
            "export ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET",
        )
    peers = environment.get("ROS_STATIC_PEERS", "")
    if reach == "OFF":
        return problem(
            name,
            "ROS_AUTOMATIC_DISCOVERY_RANGE=OFF: no other process is found",
            "export ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET",
        )
    if reach == "LOCALHOST" and not peers:
        found = "ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST: this machine only"
        return warning(name, found, everywhere)
    return ok(name, f"{reach}, static peers {peers}" if peers else reach)
