"""What was measured: a table for the terminal, JSON, and a plot for the documentation."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Row", "compared", "plain", "plot", "table"]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        case: What was done.
        subject: Who did it.
        value: The median, in the unit.
        unit: Its unit.
        against: What the ratio compares with; empty for none.
        ratio: The median of the ratios of each round; 0 without one.
        low: The least of them but for a quarter.
        high: The greatest of them but for a quarter.
        target: What the ratio (or the value, without one) is to be, at most; at least for a
            negative number; 0 for nothing.
        note: What to know about it.
    """

    case: str
    subject: str
    value: float
    unit: str
    against: str = ""
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0
    target: float = 0.0
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        found = self.ratio or self.value
        if not self.target:
            return None
        return found >= -self.target if self.target < 0 else found <= self.target


def compared(
    case: str,
    subject: str,
    values: Sequence[float],
    unit: str,
    against: str,
    others: Sequence[float],
    target: float = 0.0,
    note: str = "",
) -> Row:
    """Compare two subjects round by round: what disturbs the machine disturbs both."""
    ratios = sorted(one / other for one, other in zip(values, others, strict=True))
    quarter = len(ratios) // 4
    return Row(
        case,
        subject,
        statistics.median(values),
        unit,
        against,
        statistics.median(ratios),
        ratios[quarter],
        ratios[-1 - quarter],
        target,
        note,
    )


def table(rows: Sequence[Row]) -> str:
    """Give the table as text."""
    cells = [("case", "subject", "median", "ratio to", "ratio", "spread", "target", "")]
    for row in rows:
        limit = f"{'>=' if row.target < 0 else '<='} {abs(row.target):g}" if row.target else ""
        cells.append(
            (
                row.case,
                row.subject,
                f"{row.value:.1f} {row.unit}",
                row.against,
                f"{row.ratio:.2f}" if row.ratio else "",
                f"{row.low:.2f}-{row.high:.2f}" if row.ratio else "",
                limit,
                {None: "", True: "met", False: "MISSED"}[row.met] + (row.note and f" {row.note}"),
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def plain(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Give the rows for JSON."""
    return [{**asdict(row), "met": row.met} for row in rows]


SPOKEN = "Processor time of commands and calls, as bars; the table has the same numbers"


def plot(rows: Sequence[Row]) -> str:
    """Draw the medians of each case as bars: an SVG that takes the colour of the text around it."""
    parts: list[str] = []
    y = 20
    for case in dict.fromkeys(row.case for row in rows):
        medians = {row.subject: row for row in rows if row.case == case}
        most = max(row.value for row in medians.values())
        title = escape(case.replace(", 1 calls", ", 1 call"))
        parts.append(f'<text x="10" y="{y}" font-weight="bold">{title}</text>')
        for subject, row in medians.items():
            y += 20
            width = max(1.0, 320 * row.value / most)
            fill = "#2f8f89" if subject.startswith("pystrix-typed") else "#9aa5b1"
            unit = row.unit.replace("us", "µs")
            parts.append(
                f'<text x="190" y="{y}" text-anchor="end">{escape(subject)}</text>'
                f'<rect x="200" y="{y - 12}" width="{width:.0f}" height="14" fill="{fill}"/>'
                f'<text x="{205 + width:.0f}" y="{y}">{row.value:.1f} {unit}</text>'
            )
        y += 32
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 640 {y}" width="640" '
        f'fill="currentColor" font-family="sans-serif" font-size="13" role="img" '
        f'aria-label="{SPOKEN}">\n' + "\n".join(parts) + "\n</svg>\n"
    )
