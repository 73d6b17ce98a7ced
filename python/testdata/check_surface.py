"""Tells which names of a list are missing: check_surface.py LIST.

A line names a module and something in it, with its parameters if it is a function:
those must be there by name, and the leading ones in that order.
"""
import importlib
import inspect
import sys


def find(module, path):
    """The thing, or None for an attribute that only instances have and that is declared."""
    found = importlib.import_module(module)
    for part in path.split('.'):
        if inspect.isclass(found) and not hasattr(found, part):
            if any(part in vars(base).get('__annotations__', {}) for base in found.__mro__):
                return None
        found = getattr(found, part)
    return found


def differs(found, wanted):
    try:
        have = list(inspect.signature(found).parameters.values())
    except (TypeError, ValueError):
        return False
    if have and have[0].name in ('self', 'cls'):
        have = have[1:]
    names = [p.name for p in have]
    kinds = {p.kind for p in have}
    wanted = [name for name in wanted if not name.startswith('*')]
    if inspect.Parameter.VAR_KEYWORD not in kinds and not set(wanted) <= set(names):
        return True
    leading = [p.name for p in have if p.kind == inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if leading[:1] == ['id'] or inspect.Parameter.VAR_POSITIONAL in kinds:  # by any name
        return False
    both = min(len(leading), len(wanted))
    return leading[:both] != wanted[:both]


for line in open(sys.argv[1]):
    module, _, rest = line.strip().partition(' ')
    path, _, parameters = rest.partition('(')
    try:
        found = find(module, path)
    except (ImportError, AttributeError) as error:
        print('missing:', line.strip(), error)
        continue
    wanted = [name.strip() for name in parameters[:-1].split(',') if name.strip()]
    if parameters and found is not None and differs(found, wanted):
        print('differs:', line.strip(), inspect.signature(found))
