"""The connection to the hub: opened for an address that the user named, and for nothing else.

Importing moodal keeps Hugging Face's libraries offline (`moodal.core.offline`). `connect` lifts
that while one address is fetched or written, unless the user asked for no downloads.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from logging import ERROR
from typing import TYPE_CHECKING, Any

from moodal.core.errors import DataError, MissingDependencyError, UsageError, installation
from moodal.core.offline import asked_offline
from moodal.core.version import __version__
from moodal.hub.address import HubAddress

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_LOCK = threading.RLock()

_OR_COPY = "or copy the folder from a machine that has it and name the folder instead"


def client() -> HfApi:
    """Return a client of the hub that HF_ENDPOINT names, by default Hugging Face's.

    Raises:
        MissingDependencyError: huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import HfApi, constants
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"Addresses of the hub need the package huggingface_hub; {installation('hub')}."
        ) from None
    endpoint = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    return HfApi(endpoint=endpoint.rstrip("/"), library_name="moodal", library_version=__version__)


@contextlib.contextmanager
def connect(address: HubAddress, *, sends: bool = False) -> Iterator[HfApi]:
    """Give a client that may reach the hub; its errors become one sentence on the address.

    Args:
        sends: whether it writes, rather than fetches.

    Raises:
        UsageError: the user asked for no downloads.
        DataError: no such repository, revision or file, no right to it, or no connection.
    """
    if asked_offline():
        raise UsageError(
            f"{address} needs the network, and HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set; "
            "unset it, or fetch it first on a machine that may connect."
        )
    api = client()
    with _LOCK, _online(), _explained(address, api, sends):
        yield api


@contextlib.contextmanager
def _online() -> Iterator[None]:
    """Let huggingface_hub connect for a while, without telemetry, and quietly."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    level, bars = logging.get_verbosity(), not are_progress_bars_disabled()
    switches: dict[str, Any] = {"HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_TELEMETRY": True}
    before = {name: getattr(constants, name) for name in switches}
    for name, value in switches.items():
        setattr(constants, name, value)
    logging.set_verbosity(ERROR)
    if bars and not (sys.stderr and sys.stderr.isatty()):
        disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            enable_progress_bars()
        for name, value in before.items():
            setattr(constants, name, value)


@contextlib.contextmanager
def _explained(address: HubAddress, api: HfApi, sends: bool) -> Iterator[None]:
    """Turn the errors of huggingface_hub into one sentence each."""
    from huggingface_hub import errors

    repository, endpoint = address.repository, api.endpoint
    try:
        yield
    except errors.GatedRepoError:
        raise DataError(
            f"{address}: its owners ask for an agreement first; accept it at "
            f"{endpoint}/{repository}, and log in with `hf auth login`."
        ) from None
    except errors.RepositoryNotFoundError:
        raise DataError(
            f"{endpoint} has no repository {repository}, or your token may not read it; check the "
            "name, and log in with `hf auth login` if it is private."
        ) from None
    except errors.RevisionNotFoundError:
        raise DataError(
            f"{repository} has no revision {address.revision}; give a commit, a tag or a branch "
            f"of {endpoint}/{repository}."
        ) from None
    except errors.EntryNotFoundError as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise _unconnected(address, endpoint, sends) from None
        raise DataError(f"{address} lacks a file: {_first(error)}.") from None
    except errors.HfHubHTTPError as error:
        raise DataError(f"{address}: {_refused(error, endpoint)}.") from None
    except errors.HFValidationError as error:
        raise UsageError(f"{address} is no address of the hub: {_first(error)}.") from None
    except OSError as error:
        raise DataError(f"{address} cannot be fetched or written: {_first(error)}.") from None
    except Exception as error:  # of the HTTP library, whose name changed between versions
        if type(error).__module__.partition(".")[0].startswith("httpx"):
            raise _unconnected(address, endpoint, sends) from None
        raise


def _unconnected(address: HubAddress, endpoint: str, sends: bool) -> DataError:
    if not sends:
        return unreachable(address, endpoint)
    return DataError(
        f"{endpoint} cannot be reached, so nothing was sent to {address.repository}; connect to "
        "the network and push again."
    )


def unreachable(address: HubAddress, endpoint: str) -> DataError:
    """Return the error of an address that is neither reachable nor in the cache."""
    return DataError(
        f"{address} is not in the local cache, and {endpoint} cannot be reached; connect to the "
        f"network, {_OR_COPY}."
    )


def forbidden(address: HubAddress) -> DataError:
    """Return the error of an address that is not in the cache, where no connection is allowed."""
    return DataError(
        f"{address} is not in the local cache, and HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids "
        f"every connection; unset it, {_OR_COPY}."
    )


def _refused(error: Any, endpoint: str) -> str:
    """Say why the hub refused a request."""
    status = error.response.status_code
    if status in (401, 403):
        return (
            f"{endpoint} refuses it; log in with `hf auth login`, or set HF_TOKEN to a token that "
            "may do this"
        )
    if status == 429:
        return f"{endpoint} has had too many requests; try again in some minutes"
    return f"{endpoint} answers {status}: {_first(error)}"


def _first(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200].rstrip(".")
