"""A stack machine that reads pickles as data and can call nothing of the running program.

A pickle is a small program: Python's unpickler imports what a file names, and calls it. This
machine has the same stack and the same opcodes (see `pickletools`), but looks up names in a table
whose entries are inert builders of moodal. A name that is not in the table stops the reading. So no
class, function or attribute of the running program can be reached, whatever the file contains.
"""

from __future__ import annotations

import codecs
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from moodal.corpora.unpickle.inert import Inert, Name, Refused, key, shown


class ByteReader(Protocol):
    """The methods of an open file that pickles need."""

    def read(self, n: int, /) -> bytes: ...

    def readline(self) -> bytes: ...


_MARK = object()
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}

_PUSHED = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("STRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}


class Machine:
    """A machine that runs the opcodes of one pickle.

    Args:
        file: an open file at the pickle's first byte; after `run` it is just past its STOP.
        names: (module, name) -> `Name`.
        persistent: converts a persistent id to an object; None if there are none.
    """

    def __init__(
        self,
        file: ByteReader,
        names: Mapping[tuple[str, str], Name],
        persistent: Callable[[Any], Any] | None = None,
    ):
        self.file, self.names, self.persistent = file, names, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Run the pickle and return the object that it describes, with inert objects in it.

        Raises:
            Refused: the pickle asks for something that would run code.
            ValueError, IndexError, KeyError, TypeError: it is damaged or no pickle.
        """
        while True:
            code = self.file.read(1)
            if not code:
                raise ValueError("it ends before its end mark")
            opcode = _OPCODES.get(code.decode("latin-1"))
            if opcode is None:
                raise ValueError(f"it holds the byte {code!r} where an instruction should be")
            if opcode.name == "STOP":
                return self.pop()
            self.step(opcode.name, self.argument(opcode))

    def argument(self, opcode: pickletools.OpcodeInfo) -> Any:
        """Read the argument of an opcode from the file, None if it has none."""
        if opcode.name in ("GLOBAL", "INST"):
            return self.line().decode(), self.line().decode()
        if opcode.name == "STRING":  # of Python 2, with any bytes
            quoted = self.line()
            if len(quoted) < 2 or quoted[:1] not in (b"'", b'"') or quoted[-1:] != quoted[:1]:
                raise ValueError("a string in it lacks its quotes")
            return codecs.escape_decode(quoted[1:-1])[0].decode("latin-1")
        return opcode.arg.reader(self.file) if opcode.arg is not None else None  # type: ignore[arg-type]

    def line(self) -> bytes:
        """Read the rest of the line, without its end."""
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise ValueError("it ends in the middle of a line")
        return line[:-1]

    def pop(self) -> Any:
        """Remove the topmost object and return it."""
        value = self.top()
        self.stack.pop()
        return value

    def top(self) -> Any:
        """Return the topmost object without removing it."""
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("its marks do not match")
        return self.stack[-1]

    def marked(self) -> list[Any]:
        """Remove the last mark and everything above it; return the latter."""
        for depth, item in enumerate(reversed(self.stack)):
            if item is _MARK:
                items = self.stack[len(self.stack) - depth :]
                del self.stack[len(self.stack) - depth - 1 :]
                return items
        raise ValueError("its marks do not match")

    def step(self, name: str, argument: Any) -> None:
        """Execute one opcode."""
        stack = self.stack
        if name in _PUSHED:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            stack.append(tuple([self.pop() for _ in range(_TUPLES[name])][::-1]))
        elif name in _PUTS:
            self.memo[argument] = self.top()
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.top()
        elif name in _GETS:
            if argument not in self.memo:
                raise ValueError("it refers to something that it does not hold")
            stack.append(self.memo[argument])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "POP":
            if not stack:
                raise ValueError("its marks do not match")
            stack.pop()  # a mark, too
        elif name == "POP_MARK":
            self.marked()
        elif name == "DUP":
            stack.append(self.top())
        elif name == "PROTO":
            if argument > 5:
                raise ValueError(f"it is of pickle protocol {argument}, which does not exist")
        elif name != "FRAME" and not self.collect(name):
            self.call(name, argument)

    def collect(self, name: str) -> bool:
        """Execute an opcode that fills a container; return False for any other opcode."""
        if name in ("LIST", "TUPLE", "FROZENSET", "DICT"):
            items = self.marked()
            if name == "DICT":
                items = [(key(k), v) for k, v in zip(items[::2], items[1::2], strict=True)]
            kinds: dict[str, Callable[[list[Any]], Any]] = {
                "LIST": list,
                "TUPLE": tuple,
                "FROZENSET": lambda members: frozenset(key(x) for x in members),
                "DICT": dict,
            }
            self.stack.append(kinds[name](items))
        elif name in ("APPEND", "APPENDS"):
            items = [self.pop()] if name == "APPEND" else self.marked()
            _require(self.top(), list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [self.pop(), self.pop()][::-1] if name == "SETITEM" else self.marked()
            pairs = zip(items[::2], items[1::2], strict=True)
            _require(self.top(), dict).update((key(k), v) for k, v in pairs)
        elif name == "ADDITEMS":
            items = self.marked()
            _require(self.top(), set).update(key(x) for x in items)
        else:
            return False
        return True

    def call(self, name: str, argument: Any) -> None:
        """Execute an opcode that names, calls or fills an object; only inert ones can be."""
        stack = self.stack
        if name == "GLOBAL":
            stack.append(self.find(*argument))
        elif name == "STACK_GLOBAL":
            function, module = self.pop(), self.pop()
            stack.append(self.find(module, function))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, what = self.pop(), self.pop()
            stack.append(_make(what, arguments))
        elif name == "NEWOBJ_EX":
            keywords, arguments, what = self.pop(), self.pop(), self.pop()
            if keywords:
                raise Refused(f"calls {_called(what)} with keywords")
            stack.append(_make(what, arguments))
        elif name == "INST":
            what = self.find(*argument)
            stack.append(_make(what, tuple(self.marked())))
        elif name == "OBJ":
            what, *rest = self.marked()
            stack.append(_make(what, tuple(rest)))
        elif name == "BUILD":
            state, target = self.pop(), self.top()
            if isinstance(target, Inert):
                target.set_state(state)
            elif type(target) is not dict:  # attributes of an OrderedDict are ignored
                raise Refused(f"sets the inner state of a {_called(target)}")
        elif name in ("PERSID", "BINPERSID"):
            number = argument if name == "PERSID" else self.pop()
            if self.persistent is None:
                raise Refused(f"refers to an object outside itself (persistent id {shown(number)})")
            stack.append(self.persistent(number))
        elif name in ("EXT1", "EXT2", "EXT4"):
            raise Refused(f"uses extension code {argument}, a hidden name")
        else:
            raise Refused(f"uses {name}, which needs data from outside the file")

    def find(self, module: Any, name: Any) -> Name:
        """Look up a name in the table.

        Raises:
            Refused: the table does not have it.
        """
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("it names something by an object that is no text")
        try:
            return self.names[module, name]
        except KeyError:
            raise Refused(f"names {shown(f'{module}.{name}')}") from None


def _require(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"it adds items to a {type(value).__name__} as if to a {kind.__name__}")
    return value


def _called(value: Any) -> str:
    return value.dotted if isinstance(value, Name) else type(value).__name__


def _make(what: Any, arguments: Any) -> Any:
    if not isinstance(what, Name) or what.build is None:
        raise Refused(f"calls {_called(what)}")
    if type(arguments) is not tuple:
        raise ValueError(f"it gives {what.dotted} no tuple of arguments")
    return what.build(*arguments)
