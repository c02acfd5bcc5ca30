"""What a spec may hold, as strict and frozen models. ``spec/schema.json`` is made from them.

The docstrings below the fields are the descriptions that an editor shows while a spec is written.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ActionExample",
    "Argument",
    "Command",
    "CommandsFile",
    "Entry",
    "Enumeration",
    "EnumerationsFile",
    "EnvironmentFile",
    "Example",
    "KnownDifference",
    "Member",
    "Outcome",
    "Range",
    "Result",
    "ResultField",
    "ResultsFile",
    "Variable",
    "When",
]

Text = Annotated[str, Field(min_length=1)]
Version = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$")]
Scalar = bool | int | float | str | None
Given = bool | int | float | str | tuple[dict[str, int | str], ...] | None

ArgumentType = Literal[
    "string",
    "path",
    "digits",
    "spoken_digits",
    "integer",
    "milliseconds",
    "seconds",
    "fractional_seconds",
    "samples",
    "epoch",
    "label",
    "choice",
    "flag",
    "options",
    "routine_arguments",
    "callerid",
]
FieldType = Literal[
    "string",
    "integer",
    "boolean",
    "digit",
    "character",
    "samples",
    "milliseconds",
    "choice",
    "speech_results",
]
Raises = Literal[
    "AGIAppError",
    "AGIDBError",
    "AGIDeadChannelError",
    "AGIError",
    "AGIHangup",
    "AGIInvalidCommandError",
    "AGINoResultError",
    "AGIResultHangup",
    "AGIUnknownError",
    "AGIUsageError",
]


class Entry(BaseModel):
    """What every part of a spec has in common: an unknown key is an error."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class Argument(Entry):
    """One argument of a command, in the order of the wire."""

    name: Text
    """The Python name."""
    type: ArgumentType
    """What it takes, and how that travels."""
    about: Text
    """What it means, with its unit."""
    default: Scalar = None
    """Value when it is left out. An argument without this key is required."""
    wire: Literal["always", "omit", "filler", "skip", "joined"] = "always"
    """How an omitted one travels: `always` sends the default, `omit` ends the line before it,
    `filler` puts `filler` in its place, `skip` lets later ones move up, `joined` makes no word."""
    filler: Text | None = None
    """The exact word that stands in for an omitted argument, quotes included."""
    range: tuple[int | float | None, int | float | None] | None = None
    """Lowest and highest value; either may be null."""
    forbids: Text | None = None
    """Characters that are refused."""
    forbids_why: Text | None = None
    """Why, and what to do instead, told with the refusal."""
    max_bytes: Annotated[int, Field(gt=0)] | None = None
    """Bytes in UTF-8 after which Asterisk cuts the text."""
    allow_empty: bool = True
    """Whether an empty text is accepted."""
    empty: Text | None = None
    """What an empty value means to Asterisk."""
    values: Annotated[tuple[str | int, ...], Field(min_length=1)] | None = None
    """The plain values of a `choice`."""
    enumeration: Text | None = None
    """The enumeration whose values a `choice` takes."""
    prefix: Text | None = None
    """What stands before the value in the same word, such as `s=`."""
    word: Text | None = None
    """What a `flag` sends when it is true."""
    off_word: Text | None = None
    """What a `flag` sends when it is false; without it, nothing."""
    joined_with: Text | None = None
    """The argument that travels in the same word (type `callerid`)."""
    now: bool = False
    """Null means the moment when the action is built (type `epoch`)."""
    quirk: Text | None = None
    """What is odd about it."""
    since: Version | None = None
    """First version of Asterisk that has it."""
    until: Version | None = None
    """First version of Asterisk that has it no more."""

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return "default" not in self.model_fields_set

    @property
    def nullable(self) -> bool:
        """Whether the attribute may be None."""
        return not self.required and self.default is None and not self.now


class Range(Entry):
    """A range of whole numbers, both ends included."""

    min: int | None = None
    """Lowest value."""
    max: int | None = None
    """Highest value."""


class When(Entry):
    """The condition of an outcome; all that is named must hold. `{}` is "otherwise"."""

    code: int = 200
    """The reply's code."""
    result: int | str | tuple[int | str, ...] | Range | None = None
    """What follows `result=`: a value, a list of values, or a range."""
    data: bool | str | None = None
    """What stands in the parentheses; true: anything; false: no parentheses."""
    text: str | None = None
    """The bare words behind the result."""
    pairs: dict[str, int | str | Literal[True]] = {}
    """Values of `key=value` behind the result; true: any value."""


class Example(Entry):
    """A line that Asterisk really sends, and what it must turn into."""

    line: Text
    """The reply, without its last line feed."""
    gives: dict[str, Given] | None = None
    """The fields of the result."""


class Outcome(Entry):
    """One row of the decision table over a command's replies; the first that holds wins."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """Its name, for traces and tests."""
    about: Text | None = None
    """What has happened."""
    when: When
    """Which replies it is."""
    settle: bool = False
    """Whether it may also mean a hangup, so that the session asks."""
    raises: Raises | None = None
    """The exception."""
    message: Text | None = None
    """What the exception tells the programmer."""
    gives: dict[str, Scalar] | None = None
    """The fields of the result: `$result`, `$data`, `$text`, `$key` of a pair, or a literal."""
    provisional: bool = False
    """Whether the real reply is still to come (code 100)."""
    examples: tuple[Example, ...] = ()
    """Real lines; each is a test."""
    since: Version | None = None
    """First version of Asterisk that answers so."""
    until: Version | None = None
    """First version of Asterisk that answers so no more."""


class Interruption(Entry):
    """A phase in which a new command ends this one."""

    phase: Text
    """When."""
    reply: Text | None
    """What it then answers; null: nothing at all."""
    only: Literal["eagi"] | None = None
    """Whether it happens over EAGI only."""


class ChannelVariable(Entry):
    """A channel variable that a command sets."""

    variable: Text
    """Its name."""
    about: Text
    """Its values, and when it is written."""


class ActionExample(Entry):
    """How an action is built, and what then goes over the wire."""

    python: Text
    """A call of the class."""
    wire: Text
    """The command line, without its line feed."""


class Change(Entry):
    """What a version of Asterisk changed."""

    version: Version
    """The first version that has the change."""
    change: Text
    """What changed."""


class KnownDifference(Entry):
    """Where Asterisk's own documentation lists something else, and why that is so."""

    difference: Text
    """The words of `pystrix-typed check`, exactly."""
    why: Text
    """The reason."""


class Command(Entry):
    """One AGI command."""

    command: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*( [A-Z0-9]+)*$")]
    """The command words."""
    class_: Text | None = Field(default=None, alias="class", description="Name of the class.")
    summary: Text
    """What it does, in one short sentence."""
    about: Text | None = None
    """More about it."""
    since: Version
    """First version of Asterisk that has it."""
    until: Version | None = None
    """First version of Asterisk that has it no more."""
    module: Text = "res_agi.so"
    """The module of Asterisk that brings it."""
    dead: bool = False
    """Whether it is legal once the channel is dead."""
    usage: bool = True
    """Whether Asterisk ever refuses its arguments (520)."""
    usage_hint: Text | None = None
    """What a 520 means when it is not the number of arguments."""
    extra_words: Literal["refused", "ignored"] = "refused"
    """What Asterisk does with more words than it knows."""
    eagi_audio: bool = False
    """Whether the caller's sound goes on to an EAGI script while it runs."""
    interrupted: tuple[Interruption, ...] = ()
    """What a new command does to it; empty: it is not interrupted."""
    sets: tuple[ChannelVariable, ...] = ()
    """Channel variables that it writes."""
    multiline: bool = False
    """Whether the reply's data is a raw value, which may span lines."""
    answers_twice: bool = False
    """Whether `200 result=1` is followed by a usage block (EXEC)."""
    arguments: tuple[Argument, ...] = ()
    """Its arguments, in the order of the wire."""
    result: Text | None = None
    """The class of what it reports; without it, it only succeeds or raises."""
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    """The decision table over its replies."""
    examples: tuple[ActionExample, ...] = ()
    """How actions are built."""
    quirks: tuple[Text, ...] = ()
    """Traps."""
    documentation: tuple[Text, ...] = ()
    """Where Asterisk's own documentation is wrong."""
    history: tuple[Change, ...] = ()
    """What changed when."""
    documented_as: dict[str, Text] = {}
    """Names that Asterisk's own documentation has for arguments, where they are others."""
    drift: tuple[KnownDifference, ...] = ()
    """Where Asterisk's own documentation lists something else."""
    source: Text
    """Where it stands in Asterisk's source."""

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return self.class_ or "".join([word.capitalize() for word in self.command.split()])


class CommandsFile(Entry):
    """`commands/<topic>.yaml`: the commands of one topic."""

    about: Text
    """What the topic is; the docstring of its module."""
    commands: Annotated[tuple[Command, ...], Field(min_length=1)]
    """The commands, in the order of the module."""


class ResultField(Entry):
    """One field of a result."""

    name: Text
    """The Python name."""
    type: FieldType | None = None
    """What it holds; without it, `enumeration` says so."""
    enumeration: Text | None = None
    """The enumeration whose member it is."""
    values: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The values of a `choice`."""
    optional: bool = False
    """Whether it may be None."""
    about: Text
    """What it means, with its unit."""


class Result(Entry):
    """What commands report."""

    class_: Text = Field(alias="class", description="Name of the class.")
    about: Text
    """What it tells."""
    fields: Annotated[tuple[ResultField, ...], Field(min_length=1)]
    """Its fields."""


class ResultsFile(Entry):
    """`results.yaml`: the classes of what commands report."""

    about: Text | None = None
    """The docstring of the module."""
    results: Annotated[tuple[Result, ...], Field(min_length=1)]
    """The classes."""


class Member(Entry):
    """One member of an enumeration."""

    name: Text
    """Its name."""
    value: int | str
    """Its value on the wire."""
    constant: Text | None = None
    """The name of a module constant for it."""
    constants: tuple[Text, ...] = ()
    """The same, when there are several."""
    about: Text | None = None
    """What it means."""
    since: Version | None = None
    """First version of Asterisk that has it."""

    @property
    def all_constants(self) -> tuple[str, ...]:
        """Every constant that stands for it."""
        return ((self.constant,) if self.constant else ()) + self.constants


class Enumeration(Entry):
    """A set of named values."""

    class_: Text = Field(alias="class", description="Name of the class.")
    kind: Literal["integer", "string"]
    """What the values are."""
    about: Text
    """What it names."""
    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    """Its members."""


class EnumerationsFile(Entry):
    """`enumerations.yaml`: named values."""

    about: Text | None = None
    """The docstring of the module."""
    enumerations: Annotated[tuple[Enumeration, ...], Field(min_length=1)]
    """The enumerations."""


class Variable(Entry):
    """One variable of the block that Asterisk sends first."""

    name: Annotated[str, Field(pattern=r"^agi_[a-z0-9_]+$")]
    """The variable; `agi_arg_` for the numbered ones."""
    attribute: Text
    """The Python name."""
    type: Literal["string", "integer", "number", "boolean", "arguments", "script", "query"]
    """What it holds."""
    unknown: Text | None = None
    """The literal by which Asterisk says that there is none."""
    optional: bool = False
    """Whether Asterisk may leave it out; None then."""
    about: Text
    """What it means."""
    empty: Text | None = None
    """What an empty value means."""
    since: Version | None = None
    """First version of Asterisk that sends it."""
    quirk: Text | None = None
    """What is odd about it."""
    source: Text | None = None
    """Where it stands in Asterisk's source."""


class EnvironmentFile(Entry):
    """`environment.yaml`: what Asterisk sends before the first command."""

    about: Text | None = None
    """The docstring of the module."""
    environment: Annotated[tuple[Variable, ...], Field(min_length=1)]
    """The variables, in the order of the wire."""
