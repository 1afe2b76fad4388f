"""What setting up can fail with, and what a failed pip run means."""

from __future__ import annotations

import re


class SetupError(Exception):
    """Setting up cannot go on; the message is one line that ends with the remedy."""


_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Network is unreachable",
    "Connection refused",
    "ConnectTimeout",
    "ReadTimeout",
    "Read timed out",
    "Max retries exceeded",
    "ProxyError",
    "Connection aborted",
    "RemoteDisconnected",
    "ConnectionResetError",
)


def explain_pip(output: str) -> tuple[str, str]:
    """Reads a failed pip run's output.

    Args:
        output: Everything that pip printed.

    Returns:
        (kind, line): the kind ("disk", "certificate", "network", "missing", "conflict",
        "permission" or "other") and one line with the remedy.
    """
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return "disk", "the disk is full; free about 3 GB and run make setup again"
    if "CERTIFICATE_VERIFY_FAILED" in output or "SSLCertVerificationError" in output:
        return "certificate", (
            "the package index's certificate is not trusted; give pip the certificate of your"
            " network (pip config set global.cert FILE) and run make setup again"
        )
    if "Permission denied" in output:
        return "permission", "no permission to write; make .venv writable and run make setup again"
    if any(sign in output for sign in _NETWORK):
        return "network", (
            "the package index cannot be reached; check the network, the proxy (https_proxy) and"
            " pip's index setting (pip config list), then run make setup again"
        )
    missing = re.search(r"No matching distribution found for (\S.*)", output)
    if missing:
        return "missing", (
            f"the configured package index (pip config list) has no {missing.group(1).strip()} for"
            " this Python and processor; use an index that has it"
        )
    if "ResolutionImpossible" in output or "conflicting dependencies" in output:
        return "conflict", (
            "the pinned versions conflict with packages already in .venv or in the system;"
            " remove .venv and run make setup again"
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    detail = errors[-1][len("ERROR:") :].strip() if errors else "pip failed without a message"
    return "other", detail
