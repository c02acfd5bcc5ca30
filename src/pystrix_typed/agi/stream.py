"""What comes from Asterisk, taken apart: replies, notices, and the answers to fences.

A *fence* is a command whose answer is unmistakable, ``GET FULL VARIABLE "<nonce>"``: whatever comes
before that answer is older. `pystrix_typed.agi.protocol` says when one is needed.

Asterisk polls the descriptor but reads through stdio: a fence that it reads in one gulp with the
command before it is only seen once more bytes arrive. So a fence that is not answered soon is
followed by others, the nudges, and no command is sent before the last of them is answered: read in
one gulp with a nudge, it would wait forever.
"""

from os import urandom

from pystrix_typed import agi
from pystrix_typed.agi.wire import reply_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pystrix_typed.agi.exceptions import AGIHangup

__all__ = ["NUDGE", "Stream", "without_notices"]

_HANGUP = b"HANGUP"
_USAGE_END = b"520 End of proper usage.\n"
#: Seconds after which a fence that is not answered gets its first nudge; each next waits twice as
#: long.
NUDGE = 0.1
#: A fence's answer is shorter than this.
_ANSWER = 80
_LINE_FEED = 10


class Stream:
    """The bytes that have come and are not read yet, and the fences that part them.

    Attributes:
        hung_up: Whether the call is known to be over.
        now: The present moment on the driver's clock.
        on_hangup: What to call when the call is found to be over, each once. An exception that one
            of them raises goes to whoever called the protocol, and leaves the state sound.
    """

    __slots__ = (
        "_buffer",
        "_fences",
        "_hangup",
        "_mark",
        "_noise",
        "_nudge_at",
        "_nudge_pause",
        "_seen",
        "_sent_fences",
        "_value_before",
        "_waited",
        "hung_up",
        "now",
        "on_hangup",
    )

    _buffer: bytearray
    _fences: "list[bytes]"
    _hangup: "type[AGIHangup] | None"
    _mark: bytes
    _noise: int
    _nudge_at: float
    _nudge_pause: float
    _seen: int
    _sent_fences: int
    _value_before: bool
    _waited: float
    hung_up: bool
    now: float
    on_hangup: "list[Callable[[], object]]"

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Bytes that were dropped while a reply was awaited.
        self._noise = 0
        # The answers to fences that are still to come, oldest first. While there is one, no command
        # is sent.
        self._fences = []
        self._sent_fences = 0
        self._mark = b""
        # How much of the buffer is known to hold no answer to a fence.
        self._seen = 0
        self._nudge_at = 0.0
        self._nudge_pause = NUDGE
        self._value_before = False
        # How long the fences that are out have been waited for.
        self._waited = 0.0
        self.hung_up = False
        self._hangup = None
        self.now = 0.0
        self.on_hangup = []

    @property
    def hangup(self) -> "type[AGIHangup] | None":
        """How the call ended, as the exception's class; None while it lasts."""
        if not self.hung_up:
            return None
        return self._hangup or agi.AGISIGHUPHangup

    def note_hangup(self, kind: "type[AGIHangup] | None" = None) -> None:
        """Take notice that the call is over; the first notice is the one that counts.

        Args:
            kind: The exception that says how; None for Asterisk's own notice. A signal handler
                gives that one, and must not be the first to load the exceptions: the program may
                be in the middle of doing so.
        """
        if not self.hung_up:
            self._hangup = kind
            self.hung_up = True
        while True:
            try:
                callback = self.on_hangup.pop(0)
            except IndexError:
                return  # a signal handler or another thread may take the last one
            callback()

    # ---- replies and notices ----

    def _reply_begins(self) -> bool:
        """Drop what is no reply to the command under way; tell whether one is there."""
        buffer = self._buffer
        while True:
            end = buffer.find(b"\n")
            if end < 0:
                return False
            line = bytes(buffer[:end])
            code = reply_code(line)
            if code and code != 100:
                return True
            # Provisional, a notice, or no reply at all: never taken for one.
            self._noise += end + 1
            del buffer[: end + 1]
            if line == _HANGUP:
                self.note_hangup()

    def _reply_size(self, seen: int) -> int:
        """Give the size of the reply that begins the buffer, or -1 while a block has no end."""
        buffer = self._buffer
        if not buffer.startswith(b"520-"):
            return buffer.find(b"\n") + 1
        end = buffer.find(_USAGE_END, max(seen - len(_USAGE_END), 0))
        return end if end < 0 else end + len(_USAGE_END)

    def _tidy(self) -> None:
        """Take the notices off the buffer; anything that stays is a stray."""
        while self._buffer.startswith(b"HANGUP\n"):
            del self._buffer[: len(b"HANGUP\n")]
            self.note_hangup()

    # ---- fences ----

    def _first_fence(self, value: bool) -> bytes:
        """Give the command line of a fence where none is out.

        Args:
            value: A value may lie before it.
        """
        self._value_before = value
        self._waited = 0.0
        self._seen = 0
        self._nudge_pause = NUDGE
        return self._next_fence()

    def _next_fence(self) -> bytes:
        """Give the command line of a fence, and expect its answer."""
        if not self._mark:
            self._mark = b"200 result=1 (fence-%b-" % urandom(8).hex().encode()
        self._nudge_at = self.now + self._nudge_pause
        self._nudge_pause *= 2
        answer = b"%b%d)" % (self._mark, self._sent_fences)
        self._sent_fences += 1
        self._fences.append(answer)
        return b'GET FULL VARIABLE "%b"\n' % answer[len(b"200 result=1 (") : -1]

    def _take_answers(self) -> "bytearray | None":
        """Take the fences' answers off the buffer; give what came before the first, if one came."""
        buffer, fences, mark = self._buffer, self._fences, self._mark
        first: bytearray | None = None
        while fences:
            at = buffer.find(mark, self._seen)
            if at < 0:
                self._seen = max(self._seen, len(buffer) - len(mark))
                break
            end = buffer.find(b"\n", at, at + _ANSWER)
            if end < 0 and len(buffer) < at + _ANSWER:
                self._seen = at
                break
            answer = bytes(buffer[at:end])
            if answer not in fences or (at and buffer[at - 1] != _LINE_FEED):
                self._seen = at + 1
                continue
            region = buffer[:at]
            # They are answered in the order in which they were sent.
            del buffer[: end + 1], fences[: fences.index(answer) + 1]
            self._seen = 0
            if first is None:
                first = region
            else:
                self._drop(region)
        return first

    def _drop(self, region: bytearray) -> None:
        """Forget a region, but for the notices in it."""
        if self._value_before:
            # A value may hold a line that looks like a notice; one before or behind it cannot be
            # its own.
            hung_up = region.startswith(b"HANGUP\n") or without_notices(region) < len(region)
        else:
            hung_up = _has_notice(region)
        if hung_up:
            self.note_hangup()


def without_notices(region: bytearray) -> int:
    """Give the length of a region without the notices at its end."""
    end = len(region)
    while region.endswith(b"\nHANGUP\n", 0, end):
        end -= len(b"HANGUP\n")
    return end


def _has_notice(region: bytearray) -> bool:
    """Tell whether there is a notice between the replies of a region that holds no value."""
    usage = region.find(b"520-")
    if usage >= 0:  # its text may hold such a line
        end = region.rfind(_USAGE_END, usage)
        region = region[:usage] + (region[end:] if end >= 0 else b"")
    return region.startswith(b"HANGUP\n") or b"\nHANGUP\n" in region
