"""CPU time and memory of one text: run it in two checkouts to compare their models.

OMP_NUM_THREADS=1 python benchmarks/text_speed.py
"""

from __future__ import annotations

import resource
import statistics
import time

import moodal

TEXTS = (
    "I am so happy to see you again, my dear friend!",
    "I never thought that it would come to this, but here we are, and there is nothing left to "
    "say about it except that I miss her every day.",
)
ROUNDS = 60


def main() -> None:
    """Print the median CPU time of each text, and the most memory of the process."""
    started = time.process_time()
    model = moodal.load(threads=1)
    model.predict(text=TEXTS[0])
    print(f"{model.info.name}: first answer after {time.process_time() - started:.2f} s of CPU")
    for text in TEXTS:
        times = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            model.predict(text=text)
            times.append(time.process_time() - begun)
        print(f"{len(text)} characters: {1e3 * statistics.median(times):.2f} ms")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")


if __name__ == "__main__":
    main()
