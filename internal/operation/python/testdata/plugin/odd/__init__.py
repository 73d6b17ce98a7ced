"""Modules whose import does something that only their operation may see."""
import os


def importer():
    """A function that tells the process in which it was made."""
    pid = os.getpid()
    return lambda **_: {'imported': pid, 'runs': os.getpid(), 'worker': os.getppid()}
