"""What scripts and plugins import to work with the orchestrator.

    from cloudify import ctx

Modules that begin with an underscore are how this package works inside.
"""
import os as _os
import sys as _sys

from cloudify import _gaps
from cloudify._proxy import Proxy as _Proxy
from cloudify.state import current_ctx as _current_ctx
from cloudify.state import current_workflow_ctx as _current_workflow_ctx

# The client of the REST API stands last: one that is installed is preferred.
_client = _os.path.join(_os.path.dirname(_os.path.dirname(_os.path.abspath(__file__))), 'client')
if _client not in _sys.path:
    _sys.path.append(_client)
_gaps.extend(__path__)

# The context of the operation that runs in the current thread.
ctx = _Proxy(_current_ctx.get_ctx)
# The context of the workflow that runs in the current thread.
workflow_ctx = _Proxy(_current_workflow_ctx.get_ctx)


def __getattr__(name):
    # Of what is in the original's package itself, plugins may want this.
    if name == 'broker_config':
        return _gaps.filler('cloudify.__init__')(name)
    raise AttributeError('module {0!r} has no attribute {1!r}'.format(__name__, name))
