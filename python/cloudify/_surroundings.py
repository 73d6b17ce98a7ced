"""What an import did to the process beside making modules."""
import atexit
import gc
import hashlib
import locale
import logging
import os
import random
import resource
import signal
import socket
import sys
import threading
import types

from cloudify import state


class Watch(object):
    """Compares the process with what it was."""

    def __init__(self, own):
        self._own = own  # variables of the environment that must not be read
        self._read = False
        self._asked = False

    def begin(self):
        """From here on changes are seen."""
        self._watch_context()
        self._watch_environment()
        self._before = _facts(), _functions(sys.modules)

    def changed(self):
        """Names something that is not as it was, or None."""
        if self._asked:
            return 'it uses the context of an operation'
        if self._read:
            return 'it reads the environment that is another for each operation'
        facts, functions = self._before
        now = _facts()
        for name in facts:
            if facts[name] != now[name]:
                return 'it changes {0}'.format(name)
        for (holder, name), value in functions.items():
            if vars(holder).get(name) is not value:
                return 'it replaces {0}.{1}'.format(holder.__name__, name)
        return None

    def _watch_context(self):
        def asked(*_):
            self._asked = True
            raise state.NotInContext('No context set in current execution thread')
        for name in ('_known', '_get'):  # ours and the original's
            if hasattr(state.CurrentContext, name):
                setattr(state.CurrentContext, name, staticmethod(asked) if name == '_known' else asked)

    def _watch_environment(self):
        watch, kind = self, type(os.environ)

        class Environment(kind):

            def __getitem__(self, key):
                if key in watch._own:
                    watch._read = True
                return kind.__getitem__(self, key)

            def __iter__(self):
                watch._read = True
                return kind.__iter__(self)

        os.environ.__class__ = Environment


def _facts():
    return {
        'threads': _count('/proc/self/task', threading.active_count()),
        'processes': _children(),
        'open files': _files(),
        'the environment': dict(os.environ._data),
        'the working directory': os.getcwd(),
        'the umask': _umask(),
        'signal handlers': {number: signal.getsignal(number) for number in signal.valid_signals()},
        'blocked signals': signal.pthread_sigmask(signal.SIG_BLOCK, []),
        'timers': signal.getitimer(signal.ITIMER_REAL),
        'sys.path': list(sys.path),
        # six, which many packages use, finds nothing but modules of its own.
        'sys.meta_path': [id(finder) for finder in sys.meta_path if type(finder).__name__ != '_SixMetaPathImporter'],
        'sys.path_hooks': list(map(id, sys.path_hooks)),
        'the standard streams': [id(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        'hooks': [id(hook) for hook in (sys.excepthook, sys.displayhook, threading.excepthook, sys.gettrace(), sys.getprofile())],
        'limits': [sys.getrecursionlimit(), sys.getswitchinterval()] + [
            resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith('RLIMIT_')],
        'exit handlers': atexit._ncallbacks(),
        'garbage collection': (gc.isenabled(), gc.get_threshold(), len(gc.callbacks)),
        'the root logger': (logging.root.level, [id(handler) for handler in logging.root.handlers], logging.root.manager.disable),
        'the timeout of sockets': socket.getdefaulttimeout(),
        'the locale': locale.setlocale(locale.LC_ALL),
        'random numbers': random.getstate(),
    }


def _count(folder, otherwise):
    try:
        return len(os.listdir(folder))
    except OSError:
        return otherwise


def _children():
    try:
        with open('/proc/self/task/{0}/children'.format(os.getpid())) as children:
            return children.read()
    except OSError:
        return ''


def _files():
    found = {}
    try:
        for name in os.listdir('/proc/self/fd'):
            try:
                found[name] = os.readlink('/proc/self/fd/' + name)
            except OSError:
                pass  # that of the folder itself
    except OSError:
        pass
    return found


def _umask():
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_CODE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, staticmethod, classmethod, property)


def _is_code(value):
    # isinstance() and callable() would ask proxies for what they stand for.
    return type(value) in _CODE or issubclass(type(value), type)


def _functions(modules):
    """Functions and classes in modules, and in the classes there: by (holder, name)."""
    found = {}
    for module in list(modules.values()):
        if type(module) is not types.ModuleType:
            continue
        for name, value in list(vars(module).items()):
            if not _is_code(value):
                continue
            found[module, name] = value
            if issubclass(type(value), type):
                found.update(((value, name), part) for name, part in list(vars(value).items()) if _is_code(part))
    return found


_SIMPLE = (type(None), bool, int, float, complex, str, bytes)
_TOLD = frozenset(('datetime', 'decimal', 'fractions', 'ipaddress', 'pathlib', 'uuid', 'zoneinfo'))
_ASIDE = frozenset(('__builtins__', '__spec__', '__loader__', '__cached__', '__doc__', '__dict__', '__weakref__', '__module__'))


def values(names):
    """A text that is another when the simple values in modules are others."""
    digest = hashlib.sha256()
    seen = set()
    waiting = [sys.modules[name] for name in sorted(names) if type(sys.modules[name]) is types.ModuleType]
    own = set(names)
    seen.update(map(id, waiting))
    while waiting:
        holder = waiting.pop()
        for value in _within(holder, own):
            kind = type(value)
            if kind in _SIMPLE:
                digest.update(repr(value).encode('utf-8', 'backslashreplace') + b'\0')
            elif kind.__module__ in _TOLD:
                digest.update(repr(value).encode('utf-8', 'backslashreplace') + b'\0')
            elif id(value) not in seen:
                seen.add(id(value))
                waiting.append(value)
    return digest.hexdigest()


def _within(value, own):
    kind = type(value)
    if issubclass(kind, types.ModuleType):
        return _members(vars(value)) if value.__name__ in own else ()
    if issubclass(kind, type):
        return _members(vars(value)) if vars(value).get('__module__') in own else ()
    if issubclass(kind, dict):
        return [part for item in dict.items(value) for part in item]
    if issubclass(kind, (list, tuple)):
        return list(value)
    if issubclass(kind, (set, frozenset)):
        return sorted((part for part in value if type(part) in _SIMPLE), key=repr)
    if issubclass(kind, random.Random):
        try:
            return [value.getstate()]
        except NotImplementedError:
            return ()
    parts = []
    defaults = getattr(kind, '__defaults__', None) and value.__defaults__
    if defaults:
        parts.extend(defaults)
    try:
        parts.extend(_members(object.__getattribute__(value, '__dict__')))
    except AttributeError:
        pass
    return parts


def _members(named):
    return [value for name, value in list(named.items()) if name not in _ASIDE]
