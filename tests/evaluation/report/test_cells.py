"""Cells and tables of reports."""

from moodal.evaluation.report import cells


def test_the_title_of_an_error_says_that_lower_is_better():
    titles = {"titles": {"jsd": "Divergence", "accuracy": "WA"}}
    assert cells.metric_title(titles, "jsd") == "Divergence (lower is better)"
    assert cells.metric_title(titles, "accuracy") == "WA"


def test_words_of_a_header_keep_their_hyphens_and_their_width():
    built = cells.grid("", [["run", "train-mean"], ["a", "1"]])
    assert [str(column.header) for column in built.columns] == ["run", "train-\nmean"]
    assert built.columns[1].min_width == len("train-")
