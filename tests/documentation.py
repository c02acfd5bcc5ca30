"""A small documentation in the form of Asterisk's, invented for the tests, to be spoilt."""

from __future__ import annotations

from pystrix_typed.agi.catalogue_model import (
    Argument,
    Command,
    Condition,
    Enumeration,
    KnownDifference,
    Member,
    Outcome,
    ReplyExample,
)

__all__ = ["COMMANDS", "ENUMERATIONS", "XML"]

XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE docs SYSTEM "appdocsxml.dtd">
<docs>
  <application name="Toast" language="en_US">
    <syntax><parameter name="bread" required="true"/></syntax>
  </application>
  <agi name="toast bread" language="en_US">
    <since><version>13.2.0</version><version>12.8.0</version></since>
    <syntax>
      <parameter name="bread kind" required="true">
        <enumlist><enum name="rye"/><enum name="wheat"/></enumlist>
      </parameter>
      <parameter name="seconds" required="true"/>
      <parameter name="butter">
        <since><version>16.0.0</version></since>
      </parameter>
    </syntax>
  </agi>
  <agi name="eat" language="en_US">
    <syntax/>
  </agi>
</docs>
"""

ENUMERATIONS = (Enumeration("Bread", "Bread.", (Member("RYE", "rye"), Member("WHEAT", "wheat"))),)

_OUTCOMES = (Outcome("done", "", Condition(), (ReplyExample("200 result=0"),)),)

COMMANDS = (
    Command(
        "TOAST BREAD",
        "ToastBread",
        "kitchen",
        "Toasts.",
        "12.8.0",
        "res_toast.c",
        _OUTCOMES,
        (
            Argument("bread", "choice", "", enumeration="Bread", documented="bread kind"),
            Argument("seconds", "integer", "", required=False, default=30),
            Argument("butter", "flag", "", False, False, "skip", word="butter", since="16.0.0"),
        ),
    ),
    Command(
        "EAT",
        "Eat",
        "kitchen",
        "Eats.",
        "1.0",
        "res_toast.c",
        _OUTCOMES,
        (Argument("note", "string", "", False, None, "omit"),),
        drift=(
            KnownDifference("parameter 1, 'note', is not in the documentation", "Nobody reads it."),
        ),
    ),
)
