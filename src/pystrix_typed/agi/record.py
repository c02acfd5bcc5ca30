"""What actions and results are made of: frozen, slotted records that import nothing.

Asterisk starts one interpreter per AGI call, and `dataclasses` alone costs as much as the rest of
the package. So the generated classes spell out ``__slots__`` and ``__init__``, this base does the
rest, and `dataclasses` is imported only when somebody asks for fields: to `dataclasses.fields`,
`asdict`, `replace`, `is_dataclass`, to mypy and to pyright they are dataclasses all the same.
"""

from pystrix_typed.agi.wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field
    from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar, dataclass_transform

    from pystrix_typed.agi.exceptions import AGIException
    from pystrix_typed.agi.wire import Reply

    R_co = TypeVar("R_co", covariant=True)
    AnyAction: TypeAlias = "Action[object]"
else:
    R_co = None

    # Stands in for `typing.Generic`, which the checkers want: one more base would make every class
    # dearer to create.
    Generic = {R_co: object}

    def dataclass_transform(**_options: object) -> "Callable[[type], type]":
        """Stand in for `typing.dataclass_transform`, which only the checkers look at."""
        return lambda cls: cls


__all__ = ["Action", "Record"]


class _Late:
    """Gives what makes a record a dataclass, and is made when somebody asks for it."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _record: object, owner: "type[Record]") -> object:
        from pystrix_typed.agi.fields import dataclass_of

        # Not kept in the class: the classes made from it would take it for their own.
        return getattr(dataclass_of(owner), self._name)


@dataclass_transform(frozen_default=True, eq_default=True)
class Record:
    """A frozen value: compared and hashed by class and fields, printed as it is built."""

    __slots__ = ()
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
        __dataclass_params__: ClassVar[object]
        __match_args__: ClassVar[tuple[str, ...]]
    else:
        __dataclass_fields__ = _Late("__dataclass_fields__")
        # What `pprint`, and `dataclass` for a class made from this one, ask for.
        __dataclass_params__ = _Late("__dataclass_params__")
        __match_args__ = ()

        def __init_subclass__(cls, **options: object) -> None:
            """Match by the slots, which are in the order of the constructor's arguments.

            (Spelled out in each class this would contradict what checkers derive from the
            annotations.)
            """
            super().__init_subclass__(**options)
            names = cls.__dict__.get("__slots__")
            if names:
                cls.__match_args__ = names

    def _values(self) -> "tuple[object, ...]":
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__match_args__])
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{type(self).__name__} is immutable: cannot set {name!r}; "
            f"dataclasses.replace() makes a changed copy"
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot delete {name!r}")

    def __reduce__(self) -> "tuple[type[Self], tuple[object, ...]]":
        return (type(self), self._values())

    def __replace__(self, **changes: object) -> "Self":
        """What `copy.replace` calls (Python 3.13)."""
        import dataclasses

        return dataclasses.replace(self, **changes)


class Action(Record, Generic[R_co]):
    """One AGI command with its arguments, ready to be executed any number of times.

    ``execute(action: Action[R]) -> R``: the parameter is what the command reports, `None` for one
    that only succeeds or raises. The classes in `pystrix_typed.agi.core` are generated from the
    spec; so are those of a spec of your own.

    Attributes:
        command: The command words as Asterisk's documentation writes them: ``"STREAM FILE"``.
    """

    __slots__ = ()
    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(type(list[int]))
    command: "ClassVar[str]"

    # The spec's facts about the command, in the form that the session reads.
    _dead: "ClassVar[bool]" = False
    _settles: "ClassVar[tuple[str, ...]]" = ()
    _multiline: "ClassVar[bool]" = False
    _answers_twice: "ClassVar[bool]" = False
    _codes: "ClassVar[tuple[int, ...]]" = (200,)
    _usage_hint: "ClassVar[str]" = ""
    _module: "ClassVar[str]" = "res_agi.so"
    # From this version of Asterisk on nothing is to be refused; empty for "from the first one on".
    _newest: "ClassVar[tuple[int, ...]]" = ()
    # Name (empty for the command itself), value when it is left out, since, until.
    _versions: "ClassVar[tuple[tuple[str, object, str, str], ...]]" = ()

    def _words(self) -> str:
        """Give the arguments as they travel."""
        return ""

    def _read(self, reply: "Reply") -> "R_co":
        """Give what the reply means, and note the outcome's id on it."""
        raise NotImplementedError(f"{type(self).__name__} does not read replies")  # abstract

    @property
    def line(self) -> bytes:
        """The command line as it goes over the wire, with its line feed.

        Raises:
            ValueError: Asterisk would cut the line: over 8191 bytes.
        """
        return encode(self.command, self._words())

    def _error(self, kind: "type[AGIException]", reply: "Reply", message: str) -> "AGIException":
        """Build the exception of an outcome; its message names the command and Asterisk's words."""
        return kind(f"{self.command}: {message} ({reply.shown})", action=self, reply=reply)
