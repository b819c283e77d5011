"""Adapted notes: what a timeline says of the level and the corrections of its artefact."""

from __future__ import annotations

from moodal.model.fusion_info import CorrectionInfo
from moodal.model.info import ArtefactInfo
from moodal.model.levelled import level_note

SHOWN = 0.05
"""Nats: smaller offsets are not named."""


def adapted_notes(info: ArtefactInfo, prior: str, levelled: bool) -> list[str]:
    """Return the notes on what an artefact was adapted to, one sentence or two each.

    Args:
        info: the artefact's description.
        prior: the prior of the answers.
        levelled: whether the recordings are levelled by each other, not by the artefact's level.
    """
    if info.body.kind != "fused":
        return []
    level, corrections = info.body.level, info.body.corrections
    return [
        *([level_note(level, prior)] if level and not levelled else []),
        *([correction_note(corrections, prior)] if corrections else []),
    ]


def correction_note(info: CorrectionInfo, prior: str | None = None) -> str:
    """Say what corrections taught an artefact, and whether that helped.

    Args:
        info: the corrections.
        prior: that of the answers; where it is another than the corrections presume, this is said.
    """
    of = f" of {info.source}" if info.source else ""
    counts = f"{info.corrections} corrections{of} in {info.recordings} recordings"
    losses = f"log loss of held-out corrections {info.before:.3f} to {info.after:.3f} nats"
    if info.fitted == "none":
        return f"Nothing was learned from {counts}, as it would not help ({losses})."
    other = f" They presume the prior {info.prior}." if prior not in (None, info.prior) else ""
    return f"Corrected by {counts} ({losses}): {shown_parameters(info)}.{other}"


def shown_parameters(info: CorrectionInfo) -> str:
    """Write scales and offsets, without offsets that are next to nothing."""
    offsets = ", ".join(f"{e} {v:+.2f}" for e, v in info.offsets.items() if abs(v) >= SHOWN)
    scales = set(info.scales.values())
    scaled = ", ".join(f"{e} {v:.2f}" for e, v in info.scales.items())
    if len(scales) == 1:
        scaled = f"all {scales.pop():.2f}"
    parts = {"offsets": offsets or "none", "scales": "" if info.fitted == "offsets" else scaled}
    return "; ".join(f"{name} {text}" for name, text in parts.items() if text)
