"""What of a call may be shown: not what callers key in or say, nor what has a telling name.

What a command tells of the caller comes from the catalogue: a result's field that holds a key, a
string or recognised words hides the part of the reply that it is read from, and the commands that
speak a text hide that text. Variables, database entries and the like are hidden by their names. In
what is shown of a keyed reply only what the catalogue knows to be harmless is let through, so that
a reply of another kind shows too little rather than too much.
"""

from __future__ import annotations

import re
import traceback
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from pystrix_typed.agi.exceptions import AGIException
from pystrix_typed.agi.keyed import MASK, Keyed
from pystrix_typed.agi.observing import Observer
from pystrix_typed.agi.wire import parse, reply_code, speech_results

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pystrix_typed.agi.catalogue_model import Command, Outcome, Result
    from pystrix_typed.agi.observing import Call, CommandEvent
    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.agi.wire import Reply

__all__ = ["NAMES", "Redactor", "Remembering", "Rule"]

#: Names of variables, database entries, query keys and the like whose values are hidden: wherever
#: one of these stands within the name, in any case.
NAMES: Final = (
    "pin|pass|pwd|secret|card|cvv|cvc|token|otp|credential|iban|ssn|api_?key|dtmf|digits|keyed"
)

#: Types of the spec that hold one key or character.
_ONE_KEY: Final = ("digit", "character")
#: The topic whose strings are stored values: these are hidden by name.
_STORED: Final = "variables"
#: What of their arguments is no part of a value's name.
_BESIDE: Final = ("value", "channel")

#: ``name=value``, ``name: 'value'``, ``name is value``, in any text.
_PAIR: Final = (
    r"""((?:%s)[\w.-]{0,64}["']?\ {0,4}(?:=>|[=:]|\bis\b)\ {0,4}["'(]?)"""
    r"""([^\s,;&|"')}]+)"""
)
_PLAIN_NAME: Final = re.compile(r"\w+|\$\{\w+\}")


class Rule(NamedTuple):
    """What the catalogue says about one command.

    Attributes:
        command: The command.
        hears: The fields of its result that hold what the caller keyed in or said, and their types.
        speaks: Whether its first argument is read out to the caller.
        markers: Words in a reply's parentheses that are Asterisk's own.
        learns: Whether executing it can tell something that is to be hidden later.
        only_hears: Whether its result alone can tell that, and not its arguments.
    """

    command: Command
    hears: dict[str, str]
    speaks: bool
    markers: frozenset[str]
    learns: bool
    only_hears: bool


class Redactor:
    """Decides what may be shown of a call.

    One of it serves any number of calls; what was keyed in during a call is remembered in that
    call's `Keyed`.

    Args:
        names: A regular expression for the names whose values are hidden, searched in any case;
            "" hides nothing by name.
        commands: The commands of a spec of your own, beside AGI's. Of a command that is in no
            catalogue nothing but the name is shown.
        results: Their results.

    Raises:
        re.error: `names` is no regular expression.
    """

    def __init__(
        self,
        names: str = NAMES,
        *,
        commands: Iterable[Command] = (),
        results: Iterable[Result] = (),
    ) -> None:
        never = r"(?!)"
        self._names = re.compile(names or never, re.IGNORECASE)
        self._pair = re.compile(_PAIR % (names or never), re.IGNORECASE)
        rules = _own_rules()
        more = {result.class_name: result for result in results}
        self.rules: dict[str, Rule] = rules | {each.name: _rule(each, more) for each in commands}

    def sensitive(self, name: str, keyed: Keyed) -> bool:
        """Tell whether the value of a variable (or of an expression) is hidden."""
        return bool(self._names.search(name)) or keyed.filled(name)

    def scrub(self, text: str, keyed: Keyed) -> str:
        """Hide in any text what was keyed in, card numbers, and what follows a telling name."""
        return self._pair.sub(rf"\1{MASK}", keyed.scrub(text))

    def shown_name(self, name: str) -> str:
        """Give what may be shown of a name whose value is hidden: ``DB(pins/17)`` has more."""
        if _PLAIN_NAME.fullmatch(name):
            return name
        function, bracket, _ = name.partition("(")
        return f"{function}({MASK})" if bracket and function.isidentifier() else MASK

    # ---- what is learnt ----

    def see(
        self, action: AnyAction, result: object, error: BaseException | None, keyed: Keyed
    ) -> None:
        """Remember what an executed action has told of the caller."""
        rule = self.rules.get(action.command)
        if rule is None:
            _see_unknown(result, keyed)
            return
        for field, kind in rule.hears.items():
            _see_field(getattr(result, field, None), kind, keyed)
        if isinstance(error, AGIException) and error.reply is not None and rule.hears:
            self.hear(rule, error.reply, keyed)
        command = rule.command
        if self._is_secret(rule, action, keyed):
            for holder in (action, result):
                _see_field(getattr(holder, "value", None), "string", keyed)
        elif command.name == "EXEC":
            application, options = (getattr(action, part.name) for part in command.arguments)
            self.see_application(str(application), str(options), keyed)

    def _is_secret(self, rule: Rule, action: AnyAction, keyed: Keyed) -> bool:
        """Tell whether an action is about a stored value that is hidden by its name."""
        if rule.command.topic != _STORED:
            return False
        parts = [part.name for part in rule.command.arguments if part.name not in _BESIDE]
        return self.sensitive("/".join(str(getattr(action, part, "")) for part in parts), keyed)

    def see_application(self, application: str, options: str, keyed: Keyed) -> None:
        """Remember what an application is given that is secret, or will fill."""
        if application.lower() in ("read", "readexten"):
            # ReadExten names its variable first, as Read does.
            name = options.split(",", 1)[0].strip()
            if name:
                keyed.fills(name)
        elif application.lower() in ("set", "mset"):
            name, equals, value = options.partition("=")
            if equals and self.sensitive(name, keyed):
                keyed.add(value)

    def hear(self, rule: Rule, reply: Reply, keyed: Keyed) -> Outcome | None:
        """Remember what a reply tells of the caller; give the outcome that it is."""
        outcome = next((each for each in rule.command.outcomes if each.when.holds(reply)), None)
        if outcome is None:
            for text in (reply.result, reply.data, *reply.pairs.values()):
                keyed.add(text or "")
            return None
        for field, source in outcome.gives:
            kind = rule.hears.get(field)
            if kind is None or not isinstance(source, str) or not source.startswith("$"):
                continue
            if kind == "speech_results":
                for _, heard, _ in speech_results(reply):
                    keyed.add(heard)
                continue
            text = _part(reply, source)
            if kind in _ONE_KEY and source == "$result" and text.isdecimal():
                text = chr(int(text)) if int(text) < 0x110000 else ""
            keyed.add(text)
        return outcome

    # ---- what is shown ----

    def reply_of(self, rule: Rule, line: bytes, keyed: Keyed) -> str:
        """Give what may be shown of a reply to a command that hears the caller."""
        if not reply_code(line):
            return MASK
        reply = parse(line, rule.command.multiline)
        if reply.code != 200:
            return keyed.scrub(line.decode("utf-8", "surrogateescape"))
        outcome = self.hear(rule, reply, keyed)
        known = outcome is not None and reply.result in outcome.when.results
        words = [f"200 result={reply.result if known or not reply.result else MASK}"]
        if reply.data is not None:
            words.append(f"({reply.data if reply.data in rule.markers else MASK})")
        left = bool(reply.text)
        harmless = _harmless(rule, outcome)
        for key, value in reply.pairs.items():
            if key in harmless and value.lstrip("-").isdecimal():
                words.append(f"{key}={value}")
            else:
                left = True
        return " ".join([*words, MASK] if left else words)

    def error(self, error: BaseException, keyed: Keyed) -> str:
        """Give a traceback that may be shown; what it quotes of replies is as `reply_of` has it."""
        text = "".join(traceback.format_exception(error)).rstrip("\n")
        for each in _chain(error):
            # What names hide is looked for in what exceptions say, not in the lines of source.
            said = str(each)
            shown = self.message(each, keyed)
            if shown != said:
                text = text.replace(said, shown)
        return keyed.scrub(text)

    def message(self, error: BaseException, keyed: Keyed) -> str:
        """Give what an exception says, as it may be shown."""
        text = str(error)
        if isinstance(error, AGIException) and error.reply is not None:
            shown = self._quoted(error.action, error.reply, keyed)
            if shown:
                text = text.replace(error.reply.shown, f"Asterisk said: {shown}")
        return self.scrub(text, keyed)

    def _quoted(self, action: AnyAction | None, reply: Reply, keyed: Keyed) -> str:
        """Give what an exception may quote of a reply; "" for all of it."""
        rule = None if action is None else self.rules.get(action.command)
        if reply.code != 200:
            return ""
        if rule is None:
            return f"200 result={MASK}"
        if rule.hears:
            return self.reply_of(rule, reply.raw, keyed)
        secret = action is not None and self._is_secret(rule, action, keyed)
        return f"200 result={MASK}" if secret else ""


class Remembering(Observer):
    """An observer that knows what was keyed in during each call, so as not to show it.

    Args:
        redactor: Decides what is shown; None for one that hides what is hidden by default.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor: Redactor = Redactor() if redactor is None else redactor
        self._calls: dict[str, Keyed] = {}

    def keyed(self, call: Call) -> Keyed:
        """Give what was keyed in during a call that is under way."""
        known = self._calls.get(call.id)
        if known is None:
            known = self._calls[call.id] = Keyed()
        return known

    def started(self, call: Call) -> None:
        """Remember what the address tells under telling names."""
        if call.request is not None and call.request.query:
            keyed = self.keyed(call)
            for name, values in call.request.query.lists().items():
                if self.redactor.sensitive(name, keyed):
                    for value in values:
                        keyed.add(value)

    def command(self, call: Call, event: CommandEvent) -> None:
        """Remember what a command told."""
        action, _, _, result, error = event
        rule = self.redactor.rules.get(action.command)
        if rule is not None and error is None and rule.only_hears:
            for field in rule.hears:
                if getattr(result, field, None):
                    break
            else:
                return  # as of most playbacks: no key was pressed
        if rule is None or rule.learns:
            keyed = self.keyed(call)
            self.redactor.see(action, result, error, keyed)

    def ended(self, call: Call) -> None:
        """Forget it."""
        self._calls.pop(call.id, None)


def _harmless(rule: Rule, outcome: Outcome | None) -> set[str]:
    """Give the keys of a reply's pairs that tell nothing of the caller."""
    if outcome is None:
        return set()
    # Of any outcome: a playback that failed tells where it was, too, though nobody reads it there.
    return {
        source[1:]
        for each in rule.command.outcomes
        for field, source in each.gives
        if isinstance(source, str) and source.startswith("$") and field not in rule.hears
    } | {key for key, _ in outcome.when.pairs}


def _part(reply: Reply, source: str) -> str:
    if source == "$result":
        return reply.result or ""
    if source == "$data":
        return reply.data or ""
    return reply.text if source == "$text" else reply.pairs.get(source[1:], "")


def _see_field(value: object, kind: str, keyed: Keyed) -> None:
    if isinstance(value, str):
        keyed.add(value)
    elif kind == "speech_results" and isinstance(value, tuple):
        for each in cast("tuple[object, ...]", value):
            _see_field(getattr(each, "text", None), "string", keyed)


def _see_unknown(result: object, keyed: Keyed) -> None:
    """Remember every text of a result that no catalogue describes."""
    for field in getattr(result, "__match_args__", ()):
        _see_field(getattr(result, field, None), "string", keyed)


def _chain(error: BaseException) -> list[BaseException]:
    """Give an exception and all that led to it, or that it gathers."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or any(each is known for known in found):
            continue
        found.append(each)
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", each).exceptions
    return found


@cache
def _own_rules() -> dict[str, Rule]:
    # Late, because it is large, and a server that shows nothing does not need it.
    from pystrix_typed.agi.core.catalogue import COMMANDS, RESULTS

    results = {result.class_name: result for result in RESULTS}
    return {command.name: _rule(command, results) for command in COMMANDS}


def _rule(command: Command, results: dict[str, Result]) -> Rule:
    hears: dict[str, str] = {}
    if command.result in results:
        for field in results[command.result].fields:
            stored = field.type == "string" and command.topic == _STORED
            if field.type in (*_ONE_KEY, "speech_results", "string") and not stored:
                hears[field.name] = field.type
    markers: set[str] = set()
    for outcome in command.outcomes:
        if "$data" not in dict(outcome.gives).values():
            markers |= {parse(each.line.encode()).data or "" for each in outcome.examples}
    speaks = command.topic == "say" and bool(command.arguments)
    speaks = speaks and command.arguments[0].type != "epoch"
    by_arguments = command.topic == _STORED or command.name == "EXEC"
    learns = bool(hears) or by_arguments
    return Rule(command, hears, speaks, frozenset(markers), learns, not by_arguments)
