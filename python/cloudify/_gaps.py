"""What this package lacks comes from the original, where that is installed.

A plugin's environment may bring the package that this one stands for. Then the
modules that are only there are found there, and names that a module of this
package lacks are taken from the module of the same name there. What is here
always wins, so that there is one context and one set of exceptions.
"""
import importlib.util
import os
import sys

_loaded = {}


def _elsewhere():
    """The folders of other packages named cloudify on the path."""
    own = os.path.dirname(os.path.abspath(__file__))
    found = []
    for entry in sys.path:
        folder = os.path.join(entry or os.curdir, 'cloudify')
        if (os.path.isfile(os.path.join(folder, '__init__.py')) and not _same(folder, own) and folder not in found
                and not os.path.exists(os.path.join(folder, '_gaps.py'))):
            found.append(folder)
    return found


def _same(one, other):
    return os.path.realpath(one) == os.path.realpath(other)


def extend(path, package=''):
    """Adds the folders of the same package elsewhere to a package's __path__."""
    for folder in _elsewhere():
        folder = os.path.join(folder, *package.split('.')) if package else folder
        if os.path.isdir(folder) and folder not in path:
            path.append(folder)


def filler(module):
    """A module's __getattr__ that looks for missing names elsewhere."""
    def look_up(name):
        if not (name.startswith('__') and name.endswith('__')):
            other = _other(module)
            if other is not None and hasattr(other, name):
                return getattr(other, name)
        raise AttributeError('module {0!r} has no attribute {1!r}'.format(module, name))
    return look_up


def _other(module):
    """The module of that name elsewhere, or None; it is loaded once."""
    if module not in _loaded:
        _loaded[module] = None  # while it is loaded it may ask for itself
        parts = module.split('.')[1:]
        for folder in _elsewhere():
            path = os.path.join(folder, *parts) + '.py'
            if not os.path.isfile(path):
                continue
            spec = importlib.util.spec_from_file_location('cloudify._elsewhere_' + '_'.join(parts), path)
            other = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(other)
            except ImportError:
                continue
            _loaded[module] = other
            break
    return _loaded[module]
