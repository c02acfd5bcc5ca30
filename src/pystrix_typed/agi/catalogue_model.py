"""What a generated catalogue is made of: the spec as plain, frozen, typed data.

`pystrix_typed.agi.core.catalogue` holds one `Command` for each AGI command, with its arguments, its
replies and their real lines, its traps and its history. Command lines, simulators and tests read
it; actions do not, so it costs a call nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pystrix_typed.agi.wire import Reply

__all__ = [
    "ActionExample",
    "Argument",
    "Change",
    "ChannelVariable",
    "Command",
    "Condition",
    "Enumeration",
    "Interruption",
    "KnownDifference",
    "Member",
    "Outcome",
    "ReplyExample",
    "Result",
    "ResultField",
    "Value",
    "Variable",
]

#: A literal of the spec.
Value = bool | int | float | str | None


class Argument(NamedTuple):
    """One argument, in the order of the wire.

    Attributes:
        name: The Python name.
        type: The type's name in the spec: ``milliseconds``, ``digits``, ``choice``...
        about: What it means.
        required: Whether it must be given.
        default: Value when it is not; None also for "left out".
        wire: ``always``, ``omit``, ``filler``, ``skip`` or ``joined``.
        filler: The word in place of an omitted one.
        low: Lowest value.
        high: Highest value.
        forbids: Characters that are refused.
        max_bytes: Bytes after which Asterisk cuts.
        allow_empty: Whether an empty text is accepted.
        empty: What an empty value means.
        values: Plain values of a choice.
        enumeration: Name of the enumeration of a choice.
        prefix: What stands before the value in its word.
        word: What a flag sends when it is true.
        off_word: What a flag sends when it is false.
        joined_with: Name of the argument in the same word.
        now: Whether None means the present moment.
        quirk: What is odd about it.
        since: First version of Asterisk that has it.
        until: First version that has it no more.
        documented: Its name in Asterisk's own documentation, when that is another.
    """

    name: str
    type: str
    about: str
    required: bool = True
    default: Value = None
    wire: str = "always"
    filler: str | None = None
    low: float | None = None
    high: float | None = None
    forbids: str = ""
    max_bytes: int | None = None
    allow_empty: bool = True
    empty: str = ""
    values: tuple[int | str, ...] = ()
    enumeration: str = ""
    prefix: str = ""
    word: str = ""
    off_word: str = ""
    joined_with: str = ""
    now: bool = False
    quirk: str = ""
    since: str = ""
    until: str = ""
    documented: str = ""


class Condition(NamedTuple):
    """Which replies an outcome is; everything that is named must hold.

    Attributes:
        code: The reply's code.
        results: The values of ``result=``; empty for any.
        low: Lowest number behind ``result=``.
        high: Highest number behind ``result=``.
        data: The word in the parentheses; True for any, False for no parentheses, None for either.
        text: The bare words behind the result.
        pairs: ``key=value`` pairs; True for any value.
    """

    code: int = 200
    results: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    data: bool | str | None = None
    text: str | None = None
    pairs: tuple[tuple[str, bool | str], ...] = ()

    def holds(self, reply: Reply) -> bool:
        """Tell whether a reply meets the condition."""
        if reply.code != self.code or reply.result is None:
            return False
        if self.results and reply.result not in self.results:
            return False
        if (self.low is not None or self.high is not None) and not self.within(reply.result):
            return False
        if isinstance(self.data, bool):
            if (reply.data is not None) is not self.data:
                return False
        elif self.data is not None and reply.data != self.data:
            return False
        if self.text is not None and reply.text != self.text:
            return False
        return all(
            key in reply.pairs if value is True else reply.pairs.get(key) == value
            for key, value in self.pairs
        )

    def within(self, value: str) -> bool:
        """Tell whether a text is a number between `low` and `high`."""
        try:
            number = int(value)
        except ValueError:
            return False
        return (self.low is None or self.low <= number) and (
            self.high is None or number <= self.high
        )


class ReplyExample(NamedTuple):
    """A line that Asterisk really sends.

    Attributes:
        line: The reply, without its last line feed.
        gives: The fields of the result as plain values: of an enumeration the value, of
            speech results a tuple of (score, text, grammar).
    """

    line: str
    gives: tuple[tuple[str, Value | tuple[tuple[int | str, ...], ...]], ...] = ()


class Outcome(NamedTuple):
    """One row of the decision table over a command's replies; the first that holds wins.

    Attributes:
        id: Its name.
        about: What has happened.
        when: Which replies it is.
        examples: Real lines.
        raises: Name of the exception; empty when it is a success.
        message: What the exception says.
        settle: Whether it may also mean a hangup, so that the session asks.
        gives: The result's fields: ``$result``, ``$data``, ``$text``, ``$key``, or a literal.
        provisional: Whether the real reply is still to come.
        since: First version of Asterisk that answers so.
        until: First version that answers so no more.
    """

    id: str
    about: str
    when: Condition
    examples: tuple[ReplyExample, ...]
    raises: str = ""
    message: str = ""
    settle: bool = False
    gives: tuple[tuple[str, Value], ...] = ()
    provisional: bool = False
    since: str = ""
    until: str = ""


class Interruption(NamedTuple):
    """A phase in which a new command ends this one.

    Attributes:
        phase: When.
        reply: What the command then answers; None for nothing at all.
        only_eagi: Whether it happens over EAGI only.
    """

    phase: str
    reply: str | None
    only_eagi: bool = False


class ChannelVariable(NamedTuple):
    """A channel variable that a command sets."""

    name: str
    about: str


class ActionExample(NamedTuple):
    """How an action is built in Python, and what then goes over the wire."""

    python: str
    wire: str


class Change(NamedTuple):
    """What a version of Asterisk changed."""

    version: str
    change: str


class KnownDifference(NamedTuple):
    """Where Asterisk's own documentation differs from the catalogue, and why it may."""

    difference: str
    why: str


class Command(NamedTuple):
    """One AGI command.

    Attributes:
        name: The command words: ``"STREAM FILE"``.
        class_name: The action's class: ``"StreamFile"``.
        topic: The topic, and the module that gives its classes together: ``"media"``.
        summary: What it does, in a sentence.
        since: First version of Asterisk that has it.
        source: Where it stands in Asterisk's source.
        outcomes: The decision table over its replies.
        arguments: Its arguments, in the order of the wire.
        result: Name of the result's class; empty when it reports nothing.
        about: More about it.
        until: First version that has it no more.
        module: The module of Asterisk that brings it.
        dead: Whether it is legal once the channel is dead.
        usage: Whether Asterisk ever refuses its arguments (520).
        usage_hint: What a 520 means when it is not the number of arguments.
        ignores_extra_words: Whether Asterisk ignores more words than it knows, or refuses them.
        eagi_audio: Whether the caller's sound goes on to an EAGI script while it runs.
        multiline: Whether the reply's data is a raw value, which may span lines.
        answers_twice: Whether ``200 result=1`` is followed by a usage block.
        interrupted: When a new command ends it; empty: never.
        sets: Channel variables that it writes.
        examples: How actions are built.
        quirks: Traps.
        documentation: Where Asterisk's own documentation is wrong.
        history: What changed when.
        drift: Where Asterisk's own documentation lists something else.
    """

    name: str
    class_name: str
    topic: str
    summary: str
    since: str
    source: str
    outcomes: tuple[Outcome, ...]
    arguments: tuple[Argument, ...] = ()
    result: str = ""
    about: str = ""
    until: str = ""
    module: str = "res_agi.so"
    dead: bool = False
    usage: bool = True
    usage_hint: str = ""
    ignores_extra_words: bool = False
    eagi_audio: bool = False
    multiline: bool = False
    answers_twice: bool = False
    interrupted: tuple[Interruption, ...] = ()
    sets: tuple[ChannelVariable, ...] = ()
    examples: tuple[ActionExample, ...] = ()
    quirks: tuple[str, ...] = ()
    documentation: tuple[str, ...] = ()
    history: tuple[Change, ...] = ()
    drift: tuple[KnownDifference, ...] = ()


class ResultField(NamedTuple):
    """One field of a result; `type` is the name of the enumeration if it has one."""

    name: str
    type: str
    about: str
    values: tuple[str, ...] = ()
    optional: bool = False


class Result(NamedTuple):
    """A class of what commands report."""

    class_name: str
    about: str
    fields: tuple[ResultField, ...]


class Member(NamedTuple):
    """One member of an enumeration, and the constants that stand for it."""

    name: str
    value: int | str
    about: str = ""
    constants: tuple[str, ...] = ()
    since: str = ""


class Enumeration(NamedTuple):
    """A set of named values."""

    class_name: str
    about: str
    members: tuple[Member, ...]


class Variable(NamedTuple):
    """One variable of the block that Asterisk sends first.

    Attributes:
        name: The variable; ``agi_arg_`` for the numbered ones.
        attribute: The attribute of the environment.
        type: The type's name in the spec.
        about: What it means.
        unknown: The literal by which Asterisk says that there is none.
        optional: Whether Asterisk may leave it out.
        empty: What an empty value means.
        since: First version of Asterisk that sends it.
        quirk: What is odd about it.
    """

    name: str
    attribute: str
    type: str
    about: str
    unknown: str = ""
    optional: bool = False
    empty: str = ""
    since: str = ""
    quirk: str = ""
