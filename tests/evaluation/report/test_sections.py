"""The lines of the audit in a report."""

from __future__ import annotations

from moodal.evaluation.report.sections import audit_lines


def finding(what: str, detail: str, **more: object) -> dict[str, object]:
    """Make a finding of the audit."""
    return {
        "level": "warning",
        "what": what,
        "between": "train and test",
        "count": 1,
        "share": 0.5,
        "examples": ["x"],
        "detail": detail,
        **more,
    }


def test_findings_of_several_folds_share_a_line() -> None:
    first, second = finding("speakers", "Shared."), finding("speakers", "Others.", share=0.25)
    assert audit_lines([first, second]) == [
        "warning: Shared. For example `x`. The same holds in 2 folds, for 25.0% to 50.0% of the "
        "rows."
    ]


def test_emotions_that_folds_lack_have_a_line_each() -> None:
    details = ("fold-0: The train rows have no fear.", "fold-1: The train rows have no joy.")
    lines = audit_lines([finding("emotions", detail) for detail in details])
    assert lines == [f"warning: {detail}" for detail in details]
