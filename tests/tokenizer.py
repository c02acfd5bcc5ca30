"""How Asterisk reads a command line: a model of its own, that knows nothing of the encoder.

After res_agi.c, parse_args: a backslash keeps the next byte as it is, a double quote toggles, and
outside quotes a space or a tab ends a word. Nothing else is special.
"""

from __future__ import annotations

__all__ = ["words"]


def words(line: bytes) -> list[bytes]:
    """Give the words of a command line without its line feed."""
    found: list[bytearray] = []
    between_words, quoted, escaped = True, False, False
    for byte in line:
        if byte == ord("\\") and not escaped:
            escaped = True
            continue
        if byte == ord('"') and not escaped:
            quoted = not quoted
            if not (quoted and between_words):
                continue
            # Even an empty pair of quotes is a word.
            found.append(bytearray())
            between_words = False
            continue
        if byte in b" \t" and not quoted and not escaped:
            between_words = True
            continue
        if between_words:
            found.append(bytearray())
            between_words = False
        found[-1].append(byte)
        escaped = False
    return [bytes(word) for word in found]
