"""The command `serve`: a page in the browser, and an interface for programs."""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodal.cli.browser import open_page
from moodal.cli.common import Arguments, artefact_path, default_artefact, tell
from moodal.core.errors import UsageError
from moodal.hub.address import is_address

if TYPE_CHECKING:
    from moodal.model.model import Model
    from moodal.serve.server import Addresses
    from moodal.serve.settings import ServeSettings

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def serve_arguments(parser: Arguments) -> None:
    """Add the arguments of `serve`."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8765, help="port; 0 for any free one")
    parser.add_argument(
        "--artefact",
        action="append",
        default=[],
        metavar="[NAME=]FOLDER",
        help="an artefact that clients may ask for by its name; a folder, or "
        "hf://owner/name@revision (default: the one in the package, as default); may be repeated",
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder of jobs and results")
    parser.add_argument(
        "--retain",
        default="24h",
        metavar="TIME",
        help="how long results are kept, such as 30m, 24h or 7d (default: 24h)",
    )
    parser.add_argument(
        "--keep-media",
        action="store_true",
        help="keep uploads as long as their results (default: deleted when their job ends)",
    )
    parser.add_argument(
        "--pseudonyms",
        type=Path,
        metavar="KEY.csv",
        help="rename recordings, speakers and files in all that the server answers, keeps and "
        "logs, as this key says; names that it lacks are added to it",
    )
    parser.add_argument(
        "--no-text",
        action="store_true",
        help="leave words out of all answers, and keep none when a job has ended",
    )
    parser.add_argument(
        "--purge",
        action="store_true",
        help="delete all jobs, results and sessions of browsers, and end",
    )
    _limit_arguments(parser)
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate for HTTPS (PEM)")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key (PEM)")
    parser.add_argument(
        "--behind-proxy",
        metavar="HOSTNAME",
        help="the name by which a proxy with TLS before the server is reached",
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a name or address by which others call the server; may be repeated",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="do not open the page in a browser"
    )


def _limit_arguments(parser: Arguments) -> None:
    """Add the arguments on how much the server does at a time, and for how long."""
    parser.add_argument("--workers", type=int, default=1, help="processes that answer jobs")
    parser.add_argument(
        "--live-workers",
        type=int,
        default=1,
        help="processes that answer live sessions, and other words of results",
    )
    parser.add_argument("--queue", type=int, default=32, help="jobs that may wait or run")
    parser.add_argument("--largest", default="2G", metavar="SIZE", help="bytes of an upload")
    parser.add_argument(
        "--longest", default="4h", metavar="TIME", help="duration of a recording (default: 4h)"
    )
    parser.add_argument(
        "--time-limit", default="4h", metavar="TIME", help="time of a job (default: 4h)"
    )


def serve(args: argparse.Namespace) -> Any:
    """Serve, or purge the data folder."""
    from moodal.serve.folder import DataFolder
    from moodal.serve.server import serve as run

    artefacts = _artefacts(args.artefact)
    settings = settings_of(args, tuple(artefacts))
    if args.purge:
        names = DataFolder(settings.folder).purge()
        what = ", ".join(names) if names else "nothing was there"
        tell(f"Purged {settings.folder}: {what}.")
        return None
    run(settings, partial(_load, artefacts), partial(_announce, args))
    return None


def settings_of(args: argparse.Namespace, artefacts: tuple[str, ...]) -> ServeSettings:
    """Convert the arguments of the command line to settings."""
    from moodal.serve.settings import Limits, ServeSettings, default_folder

    return ServeSettings(
        folder=(args.data or default_folder()).absolute(),
        host=args.host,
        port=args.port,
        artefacts=artefacts,
        workers=args.workers,
        live_workers=args.live_workers,
        queue=args.queue,
        retain=duration(args.retain, "--retain"),
        pseudonyms=None if args.pseudonyms is None else args.pseudonyms.absolute(),
        text=not args.no_text,
        keep_media=args.keep_media,
        tls_cert=args.tls_cert,
        tls_key=args.tls_key,
        proxy=args.behind_proxy,
        names=tuple(args.name),
        limits=Limits(
            upload=size(args.largest, "--largest"),
            duration=duration(args.longest, "--longest"),
            computing=duration(args.time_limit, "--time-limit"),
        ),
    )


def duration(text: str, option: str) -> float:
    """Read a duration in seconds.

    >>> duration("30m", "--retain")
    1800.0

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None or not float(match[1]):
        raise UsageError(f"{option} is a time such as 90s, 30m, 24h or 7d; got {text!r}.")
    return float(match[1]) * UNITS[match[2]]


def size(text: str, option: str) -> int:
    """Read a number of bytes.

    >>> size("2G", "--largest")
    2147483648

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+)([KMG]?)", text.strip().upper())
    if match is None or not int(match[1]):
        raise UsageError(f"{option} is a size such as 500M or 2G; got {text!r}.")
    return int(match[1]) * SIZES[match[2]]


def _artefacts(texts: list[str]) -> dict[str, str | None]:
    """Return name -> folder of the artefacts; None for the one in the package."""
    artefacts: dict[str, str | None] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals:
            name, folder = (_artefact_name(text), text)
        if not re.fullmatch(r"[\w.-]{1,60}", name):
            raise UsageError(f"--artefact: {name!r} is no name; give one as NAME=FOLDER.")
        if name in artefacts:
            raise UsageError(f"Two artefacts are called {name}; name them as NAME=FOLDER.")
        path = None if folder == "default" else default_artefact(artefact_path(folder))
        artefacts[name] = None if path is None else str(path)
    return artefacts or {"default": None}


def _artefact_name(text: str) -> str:
    """Name an artefact as its folder or its repository."""
    if is_address(text):
        return text.partition("@")[0].rpartition("/")[2]
    return Path(text).absolute().name


def _load(artefacts: dict[str, str | None], name: str) -> Model:
    """Load the model of a name, in a worker."""
    from moodal.loading import load

    return load(artefacts[name])


def _announce(args: argparse.Namespace, addresses: Addresses) -> None:
    """Print the addresses, and open the page."""
    tell(f"moodal serves at {addresses.base}")
    tell(f"Open in a browser (good once):  {addresses.page}")
    tell(f"Programs send  Authorization: Bearer TOKEN,  the token in {addresses.token}")
    tell("Stop with Ctrl-C.")
    sys.stdout.flush()
    if not args.no_browser:
        open_page(addresses.page)
