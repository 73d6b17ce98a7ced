"""Imports a module of the standard library that nothing else needs."""
import sys

KNOWN = 'wave' in sys.modules

import wave  # noqa: E402,F401


def known(**_):
    return KNOWN
