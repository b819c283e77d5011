"""The names that pickles may use, and the inert objects that they build.

Arrays and tensors are built as shells, see `arrays` and `tensors`; `finish` converts them to numpy
arrays after the whole file is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moodal.corpora.unpickle.arrays import Array, DType
from moodal.corpora.unpickle.inert import Budget, Inert, Name, key
from moodal.corpora.unpickle.tensors import DTYPES, STORAGES, Storage, Tensor, rebuild

RECORDS = ("MOSEI", "IEMOCAP", "MOSI")
"""The classes of ``src.dataset`` in the authors' ready-made sets."""


@dataclass(eq=False)
class Record(Inert):
    """An object of a class that was not imported: its name and its attributes."""

    kind: str
    attributes: dict[str, Any] = field(default_factory=dict)

    def set_state(self, state: Any) -> None:
        if type(state) is tuple and len(state) == 2 and not state[1]:
            state = state[0]
        if type(state) is not dict or not all(isinstance(k, str) for k in state):
            raise ValueError(f"the attributes of its {self.kind} are no dict")
        self.attributes.update(state)


def names(budget: Budget, load_bytes: Callable[[bytes], Any]) -> dict[tuple[str, str], Name]:
    """Build the table of everything that a pickle may name: (module, name) -> `Name`.

    Args:
        budget: is charged for copies.
        load_bytes: reads a torch file inside the pickle in the same safe way.
    """

    def array(kind: Any, *_: Any) -> Array:
        if not isinstance(kind, Name) or kind.dotted != "numpy.ndarray":
            raise ValueError("it rebuilds an array of an unknown kind")
        return Array(budget)

    def scalar(dtype: Any, data: Any = b"") -> Any:
        if not isinstance(dtype, DType):
            raise ValueError("a number in it has no type")
        return dtype.read(data, (), budget)[()]

    def from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
        if not isinstance(dtype, DType):
            raise ValueError("an array in it has no type")
        return dtype.read(data, shape, budget, fortran=order == "F")

    def encode(text: Any, encoding: Any = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise ValueError("it encodes something that is no text")
        budget.spend(len(text))
        return text.encode("latin-1")

    def pairs(items: Any = ()) -> dict[Any, Any]:
        budget.spend(16 * len(items))
        items = items.items() if type(items) is dict else items
        return {key(k): v for k, v in items}

    def members(kind: type) -> Callable[..., Any]:
        def build(items: Any = ()) -> Any:
            if type(items) not in (list, tuple):
                raise ValueError("it fills a container from something that is no list")
            budget.spend(16 * len(items))
            return kind(key(x) for x in items)

        return build

    def tensor2(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
        return rebuild(storage, offset, size, stride, getattr(storage, "code", None))

    def tensor3(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Tensor:
        dtype = rest[2]  # after requires_grad and the hooks
        name = dtype.dotted.removeprefix("torch.") if isinstance(dtype, Name) else ""
        return rebuild(storage, offset, size, stride, DTYPES[name])

    def record(kind: Any, *_: Any) -> Record:  # copyreg._reconstructor(class, object, None)
        if not isinstance(kind, Name) or not kind.dotted.startswith("src.dataset."):
            raise ValueError("it rebuilds an object of an unknown class")
        return Record(kind.dotted)

    def of(kind: str) -> Callable[[], Record]:
        return lambda: Record(kind)

    table: dict[tuple[str, str], Callable[..., Any] | None] = {
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): DType,
        ("_codecs", "encode"): encode,
        ("collections", "OrderedDict"): pairs,
        ("collections", "defaultdict"): lambda _factory=None, items=(): pairs(items),
        ("torch", "Size"): lambda sizes=(): tuple(sizes),
        ("torch", "device"): lambda *where: str(where[0]),
        ("torch._utils", "_rebuild_tensor"): tensor2,
        ("torch._utils", "_rebuild_tensor_v2"): tensor2,
        ("torch._utils", "_rebuild_tensor_v3"): tensor3,
        ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
        ("torch.storage", "_load_from_bytes"): load_bytes,
        ("torch.storage", "UntypedStorage"): None,
        **{("torch", kind): None for kind in (*STORAGES, *DTYPES)},
        **{("torch.cuda", kind): None for kind in STORAGES},
        **{("src.dataset", kind): of(f"src.dataset.{kind}") for kind in RECORDS},
    }
    for package in ("numpy.core", "numpy._core"):
        table[f"{package}.multiarray", "_reconstruct"] = array
        table[f"{package}.multiarray", "scalar"] = scalar
        table[f"{package}.numeric", "_frombuffer"] = from_buffer
    for builtins in ("builtins", "__builtin__"):
        for kind in ("object", "list", "dict", "int", "float", "str"):
            table[builtins, kind] = None
        table[builtins, "set"] = members(set)
        table[builtins, "frozenset"] = members(frozenset)
        table[builtins, "bytes"] = lambda: b""
    for registry in ("copyreg", "copy_reg"):
        table[registry, "_reconstructor"] = record
    return {(m, n): Name(f"{m}.{n}", build) for (m, n), build in table.items()}


def finish(value: Any, budget: Budget) -> Any:
    """Convert every shell in ``value`` to its array, once even if it is shared.

    Raises:
        ValueError: an array or tensor never got its values; or a shared object contains itself, or
            expands to far more than the file holds.
    """
    return _Finisher(budget).finish(value)


_OPEN = object()


class _Finisher:
    def __init__(self, budget: Budget):
        self.budget = budget
        self.limit = 64 * budget.size + 10**6
        self.weight = 0  # objects so far, shared ones counted at each use
        self.weights: dict[int, int] = {}
        self.done: dict[int, Any] = {}

    def finish(self, value: Any) -> Any:
        if not isinstance(value, list | tuple | dict | Inert | Tensor | Storage | Name):
            self.weigh(1)
            return value
        if self.done.get(id(value)) is _OPEN:
            raise ValueError("something in it contains itself")
        if id(value) not in self.done:
            before = self.weight
            self.done[id(value)] = _OPEN
            self.done[id(value)] = self.make(value)
            self.weights[id(value)] = self.weight + 1 - before
            self.weigh(1)
        else:
            self.weigh(self.weights[id(value)])
        return self.done[id(value)]

    def weigh(self, weight: int) -> None:
        self.weight += weight
        if self.weight > self.limit:
            raise ValueError("it expands to far more than it holds")

    def make(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(self.finish(x) for x in value)
        if isinstance(value, dict):
            return {k: self.finish(v) for k, v in value.items()}
        if isinstance(value, Record):
            return Record(value.kind, self.finish(value.attributes))
        if isinstance(value, Array):
            return self.array(value)
        if isinstance(value, Tensor):
            return value.values(self.budget)
        if isinstance(value, Name):
            return value.dotted
        raise ValueError("it holds a type or a storage where values should be")

    def array(self, shell: Array) -> np.ndarray:
        if shell.values is None:
            raise ValueError("an array in it was begun and never filled")
        if shell.values.dtype != object:
            return shell.values
        flat = np.empty(len(shell.objects), object)
        for i, item in enumerate(shell.objects):
            flat[i] = self.finish(item)
        return flat.reshape(shell.shape, order=shell.order)
