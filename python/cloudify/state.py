"""The contexts and parameters of the current thread."""
import contextlib
import threading

from cloudify._proxy import Proxy


class NotInContext(RuntimeError):
    """A context was asked for where there is none."""


class CtxParameters(dict):
    """The inputs of an operation, also as attributes."""

    def __init__(self, parameters=None):
        super(CtxParameters, self).__init__(parameters or {})

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            # Not AttributeError: scripts catch KeyError. Special names are
            # Python asking, which must hear AttributeError.
            if name.startswith('__') and name.endswith('__'):
                raise AttributeError(name)
            raise


class CurrentContext(threading.local):
    """A context per thread. A new thread has none until it pushes one."""

    _ctx = None
    _parameters = None

    def set(self, ctx, parameters=None):
        self._ctx = ctx
        self._parameters = CtxParameters(parameters)

    def clear(self):
        self._ctx = None
        self._parameters = None

    def get_ctx(self):
        return self._known(self._ctx)

    def get_parameters(self):
        return self._known(self._parameters)

    @staticmethod
    def _known(what):
        if what is None:
            raise NotInContext('No context set in current execution thread')
        return what

    @contextlib.contextmanager
    def push(self, ctx, parameters=None):
        """Sets the context for a with block; yields it."""
        before = self._ctx, self._parameters
        self.set(ctx, parameters)
        try:
            yield self.get_ctx()
        finally:
            self._ctx, self._parameters = before


current_ctx = CurrentContext()
current_workflow_ctx = CurrentContext()

ctx = Proxy(current_ctx.get_ctx)
ctx_parameters = Proxy(current_ctx.get_parameters)
workflow_ctx = Proxy(current_workflow_ctx.get_ctx)
workflow_parameters = Proxy(current_workflow_ctx.get_parameters)
