"""The configuration of one exchange: all files that Asterisk reads, written into a folder.

Everything that Asterisk writes goes to the same folder. Nothing that listens on the network is
loaded. Modules are loaded by name (a third of a second instead of one), but generously: whatever
dialplan applications and functions work without further configuration are there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .isolation import INSIDE

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LANDING", "write_configuration"]

WANTED = re.compile(
    r"(app|bridge|codec|format|func)_|"
    r"(pbx_config|res_agi|res_clioriginate|res_musiconhold|res_mutestream|res_speech|"
    r"res_timing_timerfd)\.so"
)
# They want a network, a database, or a configuration of their own.
UNWANTED = re.compile(
    r"adsi|aeap|aes|agent_pool|alarmreceiver|amd|audiosocket|confbridge|curl|festival|followme|"
    r"getcpeid|ices|jack|minivm|native_rtp|nbscat|odbc|page|pjsip|privacy|queue|realtime|sla|sms|sorcery|stasis|"
    r"statsd|test|vmcount|voicemail"
)

FOLDERS = ("agi", "cache", "calls", "data/moh", "data/sounds", "db", "etc/calls", "etc/extra")
MORE_FOLDERS = ("keys/keys", "log", "run", "spool")

LANDING = "landing"
"""A context to send calls to: any extension, priorities 1 to 3, the third labelled ``third``."""

EXTENSIONS = """\
[general]
clearglobalvars = yes

; A call that continues here leaves a trace of each priority that it runs. (One letter is only `s`:
; a pattern that matches `h` would run at every hangup.)
[landing]
exten => _[0-9A-Za-z*#].,1,Set(FILE(${PYSTRIX_CALL}/trace,,,al,u)=${CONTEXT},${EXTEN},${PRIORITY})
 same => n,Set(FILE(${PYSTRIX_CALL}/trace,,,al,u)=${CONTEXT},${EXTEN},${PRIORITY})
 same => n(third),Set(FILE(${PYSTRIX_CALL}/trace,,,al,u)=${CONTEXT},${EXTEN},${PRIORITY})
 same => n,Hangup()
exten => _[0-9s*#],1,Set(FILE(${PYSTRIX_CALL}/trace,,,al,u)=${CONTEXT},${EXTEN},${PRIORITY})
 same => n,Set(FILE(${PYSTRIX_CALL}/trace,,,al,u)=${CONTEXT},${EXTEN},${PRIORITY})
 same => n(third),Set(FILE(${PYSTRIX_CALL}/trace,,,al,u)=${CONTEXT},${EXTEN},${PRIORITY})
 same => n,Hangup()

; Subroutines for GOSUB.
[subs]
exten => join,1,Return(${ARG1}-${ARG2})
exten => count,1,Return(${ARGC})
exten => silent,1,Return()
exten => labelled,1,Return(from the start)
 same => n(here),Return(from the label)
exten => hangup,1,Hangup()

#tryinclude extra/*.conf
#tryinclude calls/*.conf
"""

FILES = {
    "acl.conf": "",
    "ccss.conf": "[general]\n",
    "cdr.conf": "[general]\nenable = no\n",
    "cel.conf": "[general]\nenable = no\n",
    "extensions.conf": EXTENSIONS,
    "features.conf": "[general]\n",
    "http.conf": "[general]\nenabled = no\n",
    "indications.conf": (
        "[general]\ncountry = us\n[us]\ndescription = United States\nringcadence = 2000,4000\n"
        "dial = 350+440\nbusy = 480+620/500,0/500\nring = 440+480/2000,0/4000\n"
        "congestion = 480+620/250,0/250\n"
    ),
    "logger.conf": (
        "[general]\ndateformat = %T.%3q\n[logfiles]\nfull => notice,warning,error,dtmf,verbose(3)\n"
    ),
    "manager.conf": "[general]\nenabled = no\n",
    "musiconhold.conf": (
        f"[default]\nmode = files\ndirectory = {INSIDE}/data/moh\n"
        f"[waiting]\nmode = files\ndirectory = {INSIDE}/data/moh\n"
    ),
    "udptl.conf": "[general]\n",
}


def write_configuration(folder: Path, tree: Path) -> None:
    """Write the configuration of an exchange.

    Args:
        folder: The exchange's folder, `INSIDE` from within.
        tree: The root file system with Asterisk, asked for its modules.
    """
    for name in (*FOLDERS, *MORE_FOLDERS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    modules = _modules_folder(tree)
    names = sorted(entry.name for entry in modules.glob("*.so"))
    chosen = [name for name in names if WANTED.match(name) and not UNWANTED.search(name)]
    etc = folder / "etc"
    for name, text in FILES.items():
        (etc / name).write_text(text)
    (etc / "modules.conf").write_text(
        "[modules]\nautoload = no\n" + "".join(f"load = {name}\n" for name in chosen)
    )
    (etc / "asterisk.conf").write_text(_asterisk_conf(f"/{modules.relative_to(tree)}"))
    # A data folder of its own, because recordings with a relative name are written into it.
    data = folder / "data"
    (data / "sounds" / "en").symlink_to("/usr/share/asterisk/sounds/en")
    (data / "documentation").symlink_to("/usr/share/asterisk/documentation")
    (data / "moh" / "music.gsm").symlink_to("/usr/share/asterisk/sounds/en/vm-intro.gsm")


def _modules_folder(tree: Path) -> Path:
    for pattern in ("usr/lib/asterisk/modules", "usr/lib/*/asterisk/modules"):
        for folder in tree.glob(pattern):
            if (folder / "res_agi.so").exists():
                return folder
    raise FileNotFoundError(f"no Asterisk modules in {tree}")


def _asterisk_conf(modules: str) -> str:
    folders = {
        "astagidir": f"{INSIDE}/agi",
        "astcachedir": f"{INSIDE}/cache",
        "astdatadir": f"{INSIDE}/data",
        "astdbdir": f"{INSIDE}/db",
        "astetcdir": f"{INSIDE}/etc",
        "astkeydir": f"{INSIDE}/keys",
        "astlogdir": f"{INSIDE}/log",
        "astmoddir": modules,
        "astrundir": f"{INSIDE}/run",
        "astspooldir": f"{INSIDE}/spool",
        "astvarlibdir": f"{INSIDE}/data",
    }
    lines = ["[directories]", *(f"{name} => {path}" for name, path in folders.items())]
    lines += ["[options]", "documentation_language = en_US", "nocolor = yes", ""]
    return "\n".join(lines)
