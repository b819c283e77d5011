"""People next to the system: each rater against the others, and the baselines of shares.

The agreement of people is measured as a system is: each rater in turn is left out, and what this
rater chose is compared with the shares of the other raters and the emotion that a rule makes of
them. Each utterance counts once, each of its raters alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from moodal.core.votes import Choices
from moodal.evaluation.metrics import METRICS, cross_entropy, mean_defined, top
from moodal.evaluation.report.cells import cell, number
from moodal.evaluation.report.intervals import intervals
from moodal.evaluation.report.measures import Line, Statistic, percentile_entry, statistic
from moodal.evaluation.report.rated_rows import RatedRows
from moodal.evaluation.report.scores import Scored

COMPARED = (
    *("accuracy", "balanced_accuracy", "macro_f1", "support_weighted_f1"),
    *("recall", "precision", "binary_f1", "jsd", "mode_accuracy"),
)
"""The metrics that one choice of a person can be measured by; a probability is none."""

MOST_NAMED = 30
"""A report names at most so many raters."""

FEWEST = 10
"""Ratings of a rater below which the report has no figure of this rater."""


def share_baselines(metric: str, tests: Sequence[Scored]) -> dict[str, np.ndarray]:
    """Compute a metric against shares for predictions that ignore the input, of pooled folds.

    "prior" predicts the mean shares of each fold's training, "uniform" the same for every emotion;
    of the cross-entropy "entropy" is the floor, which a prediction of the shares reaches.
    """
    rated = [(test.rated, test.probabilities.shape) for test in tests if test.rated is not None]
    shares = np.concatenate([r.shares for r, _ in rated]).astype(np.float64)
    function = METRICS[metric].function
    figures = {"uniform": function(shares, np.full(shares.shape, 1 / shares.shape[1]))}
    if all(r.train_shares is not None for r, _ in rated):
        prior = [np.broadcast_to(np.asarray(r.train_shares), shape) for r, shape in rated]
        figures = {"prior": function(shares, np.concatenate(prior)), **figures}
    if metric == "cross_entropy":
        figures["entropy"] = cross_entropy(shares, shares)
    return figures


class _Pairs(NamedTuple):
    """Each choice of a rater, with the votes of the other raters of the utterance.

    Attributes:
        rows: [M] the utterance.
        raters: [M] the rater.
        columns: [M] what the rater chose.
        weights: [M] the part of the utterance's weight: 1 over raters, and over this one's choices.
        rest: [M, C] the shares of the other raters.
    """

    rows: np.ndarray
    raters: np.ndarray
    columns: np.ndarray
    weights: np.ndarray
    rest: np.ndarray


def _pairs(ratings: Choices, count: int, emotions: int) -> _Pairs:
    """Leave each rater of each utterance out in turn; utterances of one rater have no pairs."""
    both = np.stack([ratings.rows, ratings.raters], 1)
    people, of = np.unique(both, axis=0, return_inverse=True)
    of = of.ravel()
    choices = 1 / np.bincount(of, minlength=len(people))[of]
    own = np.zeros((len(people), emotions))
    np.add.at(own, (of, ratings.columns), choices)
    total = np.zeros((count, emotions))
    np.add.at(total, people[:, 0], own)
    raters = np.bincount(people[:, 0], minlength=count)
    kept = raters[ratings.rows] > 1
    rows = ratings.rows[kept]
    rest = (total[rows] - own[of[kept]]) / (raters[rows] - 1)[:, None]
    weights = choices[kept] / raters[rows]
    return _Pairs(rows, ratings.raters[kept], ratings.columns[kept], weights, rest)


def people(scored: Scored, *, draws: int = 1000, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Compute how well one rater agrees with the others, by the metrics of the system.

    Metrics per emotion are averaged over emotions.

    Args:
        scored: the system's predictions, with the choices of raters.
        draws: of the bootstrap, over the clusters of the rows; 0: no intervals.
        seed: of the bootstrap.

    Returns:
        Key of a metric -> value, low, high, and ``system``: the system's figure against the same
        raters. Empty where nobody knows what each rater chose, or no row has two raters.
    """
    compared = _person_and_system(scored)
    if compared is None:
        return {}
    person, system, pairs = compared
    statistics: dict[str, Statistic] = {}
    for name in COMPARED:
        person_figure, system_figure = (
            _weighted(statistic(Line(name), one, {"rows": top(one.logits)}), name, pairs.weights)
            for one in (person, system)
        )
        statistics |= {name: person_figure, f"{name} of the system": system_figure}
    drawn = intervals(statistics, person.clusters, draws=draws, seed=seed)
    once = np.ones((1, len(person)))
    entries = {}
    for name in COMPARED:
        entry = percentile_entry(statistics[name](once)[0], drawn.get(name))
        key = f"{name} of the system"
        entry["system"] = percentile_entry(statistics[key](once)[0], drawn.get(key))
        entries[name] = entry
    return entries


def _person_and_system(scored: Scored) -> tuple[Scored, Scored, _Pairs] | None:
    """Return persons and system as predictions of the other raters' votes, and the pairs."""
    if scored.rated is None or scored.rated.ratings is None:
        return None
    pairs = _pairs(scored.rated.ratings, len(scored), len(scored.labels))
    if not len(pairs.rows):
        return None
    ids = [scored.ids[row] for row in pairs.rows]
    targets, clear = scored.rated.rule.decide(pairs.rest.astype(np.float32), ids)
    rated = RatedRows(pairs.rest, clear, scored.rated.rule)
    bare = dataclasses.replace(scored, rated=None, groups={}, context={})
    system = dataclasses.replace(bare.rows(pairs.rows), targets=targets, rated=rated)
    chosen = np.eye(len(scored.labels))[pairs.columns]
    return dataclasses.replace(system, probabilities=chosen, logits=chosen), system, pairs


def _weighted(of: Statistic, name: str, weights: np.ndarray) -> Statistic:
    """Weigh the rows of a statistic, and average one per emotion."""
    mean = METRICS[name].per_emotion
    return lambda drawn: mean_defined(of(drawn * weights)) if mean else of(drawn * weights)


def votes_entry(scored: Scored) -> dict[str, Any] | None:
    """Describe the votes behind a report, as JSON values; None where the corpus has no shares.

    Returns:
        ``truth`` (the rule), ``without_truth`` (rows), ``entropy`` (mean, in nats), and where the
        choices are known ``votes_per_row`` and ``raters``: name -> rows and accuracy against the
        other raters.
    """
    rated = scored.rated
    if rated is None:
        return None
    shares = rated.shares.astype(np.float64)
    entry: dict[str, Any] = {
        "truth": str(rated.rule),
        "without_truth": int((~rated.clear).sum()),
        "entropy": float(cross_entropy(shares, shares)),
    }
    compared = _person_and_system(scored)
    if compared is not None:
        person, _, pairs = compared
        each = np.unique(np.stack([pairs.rows, pairs.raters], 1), axis=0)
        entry["votes_per_row"] = len(each) / len(np.unique(each[:, 0]))
        entry["raters"] = _by_rater(person, pairs, rated.ratings.names if rated.ratings else ())
    return entry


def _by_rater(person: Scored, pairs: _Pairs, names: Sequence[str]) -> dict[str, Any]:
    """Compute the accuracy of each named rater against the others; of many, only the number."""
    if not names or len(names) > MOST_NAMED:
        return {}
    right = (person.targets * person.probabilities).sum(1)
    entries = {}
    for rater, name in enumerate(names):
        own = (pairs.raters == rater) & person.clear
        rows = len(np.unique(pairs.rows[own]))
        if rows >= FEWEST:
            accuracy = np.average(right[own], weights=pairs.weights[own])
            entries[name] = {"rows": rows, "accuracy": float(accuracy)}
    return entries


def people_lines(report: Mapping[str, Any]) -> list[str]:
    """Describe the votes and the agreement of people in sentences, where the report has them."""
    votes = report.get("votes")
    if not votes:
        return []
    lines = [
        f"Votes: the true emotion is {votes['truth']}; {votes['without_truth']:,} of "
        f"{report['rows']:,} rows have none and count only against the shares. The mean entropy of "
        f"the shares is {votes['entropy']:.3f} nats."
    ]
    figures = {
        key: entry["people"] for key, entry in report["metrics"].items() if "people" in entry
    }
    if not figures:
        return [*lines, "What each rater chose is unknown: there is no agreement of people."]
    accuracy, system = figures["accuracy"], figures["accuracy"]["system"]
    lines.append(
        f"People: one rater against the others ({votes['votes_per_row']:.1f} a row) has the "
        f"accuracy {cell(accuracy)}; the system against the same raters {cell(system)}."
    )
    if each := votes.get("raters"):
        listed = ", ".join(f"{name} {number(about['accuracy'])}" for name, about in each.items())
        lines.append(f"Accuracy of each rater against the others: {listed}.")
    return lines


def add_people(report: dict[str, Any], test: Scored, draws: int, seed: int) -> None:
    """Add the votes, and next to each metric the agreement of people, where they are known."""
    if test.rated is None:
        return
    report["votes"] = votes_entry(test)
    for key, entry in people(test, draws=draws, seed=seed).items():
        report["metrics"][key]["people"] = entry
