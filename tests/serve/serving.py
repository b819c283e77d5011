"""A server for tests: `python serving.py SETTINGS` with settings as JSON; it prints its addresses.

Its models obey some texts, so that a worker can be slow, or crash, at the right time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import moodal
from moodal.model.model import Model
from moodal.serve.server import serve
from moodal.serve.settings import Limits, ServeSettings


class TrialModel(Model):
    """A model that obeys: "slow N" takes N seconds, "crash" ends its process, "fault" fails."""

    def follow(self, source=None, *, options, **more):
        word, _, rest = (options.text or "").partition(" ")
        if word == "slow":
            time.sleep(float(rest.split()[0]))
        if word == "crash":
            os.abort()
        if word == "fault":
            raise RuntimeError(f"secret: {rest}")
        yield from super().follow(source, options=options, **more)


def load(folder: str, name: str) -> Model:
    model = moodal.load(folder, threads=1)
    own = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    return TrialModel(**own)


def announce(addresses) -> None:
    print(json.dumps(dataclasses.asdict(addresses)), flush=True)


def main() -> None:
    asked = json.loads(sys.argv[1])
    artefact = asked.pop("artefact")
    limits = Limits(**asked.pop("limits", {}))
    folder = Path(asked.pop("folder"))
    asked.setdefault("port", 0)
    for name in ("tls_cert", "tls_key", "pseudonyms"):
        if name in asked:
            asked[name] = Path(asked[name])
    serve(ServeSettings(folder=folder, limits=limits, **asked), partial(load, artefact), announce)


if __name__ == "__main__":
    main()
