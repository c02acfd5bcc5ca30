"""The bytes of AGI: words to a command line, a reply line to a `Reply`. No state, no I/O.

Asterisk's tokenizer (res_agi.c, parse_args) knows two special characters, the backslash and the
double quote; inside quotes nothing else is special, and nothing can express a line feed or a NUL.
So text travels in quotes with exactly those two escaped, and a text that holds a line feed or a NUL
is refused when the action is built.

Asterisk never escapes what it answers. Bytes that are not UTF-8 are kept as surrogate escapes, so
that a value goes out exactly as it came in.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from pystrix_typed.agi.exceptions import Item

    Words: TypeAlias = tuple[str | None, ...]

__all__ = [
    "LINE_LIMIT",
    "LINE_LIMIT_BEFORE_8K",
    "ONE_SEGMENT",
    "VALUE",
    "Reply",
    "choice",
    "encode",
    "fill",
    "flag",
    "join",
    "label",
    "line_limit",
    "number",
    "parse",
    "parse_success",
    "reply_code",
    "speech_results",
    "text",
    "variables_of",
    "version",
]

#: What Asterisk reads as one command line, line feed included (res_agi.c, AGI_BUF_LEN).
LINE_LIMIT = 8191
#: The same before 20.16, 21.11, 22.6 and 23.0.
LINE_LIMIT_BEFORE_8K = 2047

#: How the reply begins that brings a value.
VALUE = b"200 result=1 ("
#: A reply shorter than this arrives in one piece over any network that carries IPv6 (1280 bytes
#: with headers), because Asterisk writes it in one go.
ONE_SEGMENT = 1200


# ---- words ----


def text(value: str) -> str:
    """Quote a text as one word."""
    if '"' in value or "\\" in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def number(value: float) -> str:
    """Write a number; a whole one without a decimal point."""
    if value.__class__ is float:
        # No exponent: Asterisk's scanf would take one, a reader of the dialogue should not have to.
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(int(value))


def label(value: "int | str") -> str:
    """Write a priority: a number bare, a label quoted."""
    return text(value) if isinstance(value, str) else number(value)


#: A choice is a word like any other: the plain value, a number bare.
choice = label


def flag(value: bool, word: str) -> "str | None":
    """Give the word that stands for "yes", or None: "no" is said by leaving it out."""
    return text(word) if value else None


def fill(words: "Words", fillers: "Words") -> "Words":
    """Put a filler in the place of each omitted word that has a given one behind it."""
    last = len(words)
    while last and words[last - 1] is None:
        last -= 1
    return tuple(
        [
            filler if word is None else word
            for word, filler in zip(words[:last], fillers[:last], strict=True)
        ]
    )


def join(words: "Words") -> str:
    """Put the words that are given into one text."""
    return " ".join([word for word in words if word is not None])


def encode(command: str, words: str = "") -> bytes:
    """Build a command line, line feed included.

    Raises:
        ValueError: Asterisk would cut the line.
    """
    line = f"{command} {words}\n" if words else f"{command}\n"
    data = line.encode("utf-8", "surrogateescape")
    if len(data) > LINE_LIMIT:
        raise ValueError(
            f"{command}: the command line has {len(data)} bytes, and Asterisk would cut it at "
            f"{LINE_LIMIT} and run the rest as another command; shorten the arguments"
        )
    return data


def version(text: str) -> "tuple[int, ...]":
    """Give the numbers of an Asterisk version, such as ``agi_version``; () when it names none.

    ``22.10.1~dfsg`` is (22, 10, 1); ``certified-22.8-cert1`` is (22, 8).
    """
    for word in text.replace("/", "-").split("-"):
        numbers: list[int] = []
        for part in word.split("."):
            digits = part[: len(part) - len(part.lstrip("0123456789"))]
            if not digits:
                break
            numbers.append(int(digits[:9]))
            if digits != part:
                break
        if len(numbers) > 1:
            return tuple(numbers)
    return ()


#: The versions that brought the longer line, by major number (git 2025-07-22, issue 1317).
_LONG_LINE_SINCE = {20: 16, 21: 11, 22: 6}


def line_limit(asterisk: "tuple[int, ...]") -> int:
    """Give the bytes of a command line that an Asterisk of this version reads."""
    if asterisk and (
        asterisk[0] >= 23 or asterisk[1] >= _LONG_LINE_SINCE.get(asterisk[0], 1_000_000)
    ):
        return LINE_LIMIT
    return LINE_LIMIT_BEFORE_8K


# ---- replies ----


class Reply:
    """One reply of Asterisk's, taken apart.

    Attributes:
        code: 200; 503 (GOSUB); 100 (GOSUB is on its way); 510, 511, 520.
        result: What follows ``result=``, as text: a number everywhere except in GET DATA.
        data: What stands in the parentheses behind the result, or the usage text of a 520.
        text: Bare words behind the result (GOSUB), or a 510's or 511's explanation.
        pairs: ``key=value`` pairs behind the result, such as ``endpos``.
        raw: The bytes as they came, without the last line feed.
        outcome: The id of the spec's outcome that the reply was found to be; empty until then.
    """

    code: int
    # Defaults of the class: most replies have few of these, and a reply lives for one command.
    result: "str | None" = None
    data: "str | None" = None
    text: str = ""
    raw: bytes
    outcome: str = ""

    def __init__(self, code: int, raw: bytes) -> None:
        self.code = code
        self.raw = raw
        self.pairs: dict[str, str] = {}

    @property
    def items(self) -> "dict[str, Item]":
        """Everything that the reply said, by key, in pystrix's form."""
        from pystrix_typed.agi.exceptions import Item

        items: dict[str, Item] = {}
        if self.result is not None:
            items["result"] = Item(self.result, self.data)
        for key, value in self.pairs.items():
            items[key] = Item(value)
        return items

    @property
    def shown(self) -> str:
        """The reply for a message: one line, printable, not too long."""
        shown = ascii(self.raw[:200].decode("utf-8", "backslashreplace"))[1:-1]
        return f"Asterisk said: {shown}{'...' if len(self.raw) > 200 else ''}"

    def __repr__(self) -> str:
        return f"Reply({self.raw!r})"


def reply_code(line: bytes) -> int:
    """Give the code of a line that has a reply's form, else 0."""
    if len(line) >= 3 and line[:3].isdigit() and line[3:4] in (b" ", b"-", b""):
        return int(line[:3])
    return 0


def parse(raw: bytes, multiline: bool = False) -> "Reply":
    """Take one reply apart.

    Args:
        raw: A whole reply without its last line feed; the first line has a reply's form. Only a
            value (`multiline`) and a 520 block have more than one line.
        multiline: The data is a value, which may itself hold parentheses and line feeds: it ends
            at the last parenthesis.
    """
    if raw.startswith(b"200 result="):
        return parse_success(raw, multiline)
    code = int(raw[:3])
    reply = Reply(code, raw)
    words = raw[4:].decode("utf-8", "surrogateescape")
    if code == 520:
        first, _, block = words.partition("\n")
        reply.text = first
        if block:
            reply.data = block.removesuffix("520 End of proper usage.").strip("\n")
        return reply
    if not words.startswith("result="):
        reply.text = words
        return reply
    reply.result, _, rest = words[7:].partition(" ")
    if rest:
        _read_rest(reply, rest, multiline)
    return reply


def parse_success(raw: bytes, multiline: bool = False) -> "Reply":
    """Take apart a reply that begins with ``200 result=``, as nearly all do; see `parse`."""
    reply = Reply(200, raw)
    reply.result, _, rest = raw[11:].decode("utf-8", "surrogateescape").partition(" ")
    if rest:
        # Most replies are a number, and perhaps one pair.
        key, equals, value = rest.partition("=")
        if equals and key.isalnum() and " " not in value:
            reply.pairs[key] = value
        else:
            _read_rest(reply, rest, multiline)
    return reply


def _read_rest(reply: "Reply", rest: str, multiline: bool) -> None:
    """Take apart what follows the result."""
    if rest[0] == "(":
        end = rest.rfind(")") if multiline else rest.find(")")
        if end > 0:
            reply.data = rest[1:end]
            rest = rest[end + 1 :].lstrip(" ")
    if rest:
        for word in rest.split(" "):
            key, equals, value = word.partition("=")
            if equals and key:
                # The first counts: a recognised text may look like a pair.
                reply.pairs.setdefault(key, value)
        if not reply.pairs:
            reply.text = rest


def speech_results(reply: "Reply") -> "tuple[tuple[int, str, str], ...]":
    """Give what a speech engine heard: (score, text, grammar) of each alternative.

    The text is quoted and not escaped, so its end is the quote in front of its grammar; Asterisk
    cuts the list at 4095 bytes (res_agi.c, handle_speechrecognize), and what it cut is left out.
    """
    words = reply.raw.decode("utf-8", "surrogateescape")
    found: list[tuple[int, str, str]] = []
    at = 0
    while True:
        index = len(found)
        start = words.find(f" score{index}=", at)
        quote = words.find(f' text{index}="', start)
        end = words.find(f'" grammar{index}=', quote)
        if start < 0 or quote < 0 or end < 0:
            return tuple(found)
        score = words[start + len(f" score{index}=") : quote]
        at = words.find(f" score{index + 1}=", end)
        if at < 0:
            at = len(words)
        heard = words[quote + len(f' text{index}="') : end]
        grammar = words[end + len(f'" grammar{index}=') : at].strip(" ")
        found.append((int(score) if score.isdecimal() else 0, heard, grammar))


def variables_of(block: bytes) -> "dict[str, str]":
    """Read the variables.

    A line that names none goes on with the value before it: Asterisk writes a caller's name as it
    is, line feeds included.
    """
    text = block.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    if text.startswith("agi_") and text.count("\nagi_") == len(lines) - 1:
        # As nearly always: each line names one.
        pairs = [line.partition(": ") for line in lines]
        names = "".join([name for name, _, _ in pairs])
        colons = [colon for _, colon, _ in pairs]
        if " " not in names and ":" not in names and "" not in colons:
            return {name: value for name, _, value in pairs}
    variables: dict[str, str] = {}
    last = ""
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.startswith("agi_") and " " not in name:
            last = name
            variables[last] = value.removeprefix(" ")
        elif last:
            variables[last] += "\n" + line
    return variables
