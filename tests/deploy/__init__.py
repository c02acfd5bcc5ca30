"""The files of ``deploy`` in use: a real HAProxy, a real name server, and a real Asterisk."""
