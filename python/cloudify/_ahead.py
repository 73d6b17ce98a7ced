"""Modules of plugins that a worker imports once, before it forks its children.

An operation shall find its modules as if its process had imported them. So a
module is imported ahead only if nobody can tell the difference: it is imported
twice in children that are thrown away, which look at what the import did. It
stays out, and each operation imports it for itself, if the import

- fails, takes too long, or uses the context of an operation;
- prints, starts threads or processes, or leaves files open;
- changes what belongs to the process or to other modules, such as signal
  handlers, the environment, sys.path, or a function of the standard library;
- reads variables of the environment that differ between operations;
- gives values that were other ones the second time: random ones, the time.
"""
import importlib
import json
import os
import sys
import time

_OFTEN = 2  # how many operations of a module make it worth the trouble
_PATIENCE = 60  # seconds for one rehearsal
_TWICE = 2


class Ahead(object):
    """Decides which modules the worker imports; only its main loop uses it."""

    def __init__(self, rehearse):
        self._rehearse = rehearse  # forks a child that calls a function: (pid, descriptor)
        self._asked = {}  # how often operations of a module were asked for
        self._wanted = []  # modules to try, each with the surroundings of its operation
        self._trial = None
        self._before = set(sys.modules)

    def asked(self, frame):
        """Notes an operation that is being started."""
        module = (frame.get('task') or '').rpartition('.')[0]
        if not module or module in sys.modules:
            return
        self._asked[module] = self._asked.get(module, 0) + 1
        if self._asked[module] == _OFTEN:
            self._wanted.append((module, frame.get('env') or {}, frame.get('cwd'), frame.get('memory') or 0))

    def descriptor(self):
        """Is ready for reading when step can go on; None if it always can, or need not."""
        return None if self._trial is None else self._trial.descriptor

    def busy(self):
        """Whether there is something to do when there is nothing else to do."""
        return self._trial is None and bool(self._wanted)

    def timeout(self):
        """After how many seconds step should be called in any case, or None."""
        return None if self._trial is None else max(0, self._trial.ends - time.monotonic())

    def step(self, ready):
        """Goes on. Tells whether modules were imported."""
        if self._trial is None:
            if self._wanted:
                self._trial = _Trial(*self._wanted.pop(0))
                self._trial.start(self._rehearse)
            return False
        trial = self._trial
        verdict = trial.read() if ready else None
        if verdict is None and time.monotonic() >= trial.ends:
            trial.stop()
            verdict = {'why': 'it takes more than {0} s'.format(_PATIENCE)}
        if verdict is None:
            return False
        trial.close()
        if 'why' not in verdict:
            trial.verdicts.append(verdict['values'])
            if len(trial.verdicts) < _TWICE:
                trial.start(self._rehearse)
                return False
            if len(set(trial.verdicts)) > 1:
                verdict = {'why': 'its values differ from one import to the next'}
        self._trial = None
        if 'why' not in verdict:
            try:
                trial.perform()
                return True
            except BaseException as error:  # it went well twice
                verdict = {'why': repr(error)}
        sys.stderr.write('{0} is not imported ahead: {1}\n'.format(trial.module, verdict['why']))
        return False

    def forget(self):
        """Drops what was imported ahead, for who needs it on another package.

        Packages with compiled modules stay: not all of them can be imported twice.
        """
        fresh = [name for name in sys.modules if name not in self._before and not _is_standard(name)]
        compiled = {name.partition('.')[0] for name in fresh if _is_compiled(sys.modules[name])}
        for name in fresh:
            if name.partition('.')[0] not in compiled:
                del sys.modules[name]


class _Trial(object):
    """The rehearsals of one module."""

    def __init__(self, module, env, cwd, memory):
        self.module = module
        self.verdicts = []
        self.descriptor = self.ends = None
        self._env = {name: value for name, value in env.items() if name not in _OWN}
        self._cwd = cwd
        self._memory = memory
        self._pid = None
        self._data = b''

    def start(self, rehearse):
        self._data = b''
        self.ends = time.monotonic() + _PATIENCE
        self._pid, self.descriptor = rehearse(self._tell, self._memory)

    def stop(self):
        try:
            os.killpg(self._pid, 9)
        except OSError:
            pass

    def close(self):
        os.close(self.descriptor)
        self.descriptor = None

    def read(self):
        """The verdict of a rehearsal, or None when it is not complete."""
        data = os.read(self.descriptor, 65536)
        self._data += data
        if data:
            return None
        try:
            return json.loads(self._data.decode('utf-8'))
        except ValueError:
            return {'why': 'importing it ends the process'}

    def _tell(self, descriptor, output):
        verdict = json.dumps(self._rehearsal(output)).encode('ascii')
        while verdict:
            verdict = verdict[os.write(descriptor, verdict):]

    def _rehearsal(self, output):
        from cloudify import _surroundings
        watch = _surroundings.Watch(_OWN)
        known = set(sys.modules)

        def perform():
            watch.begin()
            importlib.import_module(self.module)
            return watch.changed()
        try:
            why = self._surrounded(perform)
        except BaseException as error:
            return {'why': repr(error)}
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if why is None and os.fstat(output).st_size:
            why = 'it prints'
        if why is not None:
            return {'why': why}
        fresh = [name for name in sys.modules if name not in known and not _is_standard(name)]
        return {'values': _surroundings.values(fresh)}

    def perform(self):
        """Imports the module."""
        known = set(sys.modules)
        try:
            self._surrounded(lambda: importlib.import_module(self.module))
        except BaseException:
            for name in set(sys.modules) - known:
                if not _is_standard(name):
                    del sys.modules[name]
            raise

    def _surrounded(self, perform):
        """Calls a function with the environment and in the folder of the module's operations."""
        before, here = dict(os.environ), os.getcwd()
        os.environ.update(self._env)
        try:
            if self._cwd:
                os.chdir(self._cwd)
            return perform()
        finally:
            os.chdir(here)
            for name in self._env:
                if name in before:
                    os.environ[name] = before[name]
                else:
                    os.environ.pop(name, None)


# Variables that are another for each operation.
_OWN = frozenset(('CTX_SOCKET_URL', 'WINDLASS_RUN_DIR'))


def _is_standard(name):
    from cloudify import _operation
    return name.partition('.')[0] in _operation.STANDARD


def _is_compiled(module):
    origin = getattr(getattr(module, '__spec__', None), 'origin', None)
    return isinstance(origin, str) and origin.endswith(('.so', '.pyd'))
