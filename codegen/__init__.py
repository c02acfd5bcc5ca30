"""The generator: the spec's YAML in, annotated Python out.

``source`` reads YAML and remembers lines, ``model`` says what an entry may hold, ``load`` joins the
two, ``check`` asks what no single entry can tell, ``wording`` and ``views`` turn entries into the
names, conditions and docstrings of Python, ``render`` fills the templates and formats, ``preview``
runs the result in memory against the spec's own examples, and ``output`` compares and writes.
"""

from __future__ import annotations
