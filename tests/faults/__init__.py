"""What goes wrong around a server, done to both servers from other processes.

``python -m tests.faults`` does it all and prints a table; `tests.faults.test_faults` does it in
small.
"""
