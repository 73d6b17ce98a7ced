"""What workflows import.

    from cloudify.workflows import ctx, parameters
"""
from cloudify import _gaps
from cloudify.state import workflow_ctx as ctx  # noqa: F401
from cloudify.state import workflow_parameters as parameters  # noqa: F401
from cloudify.workflows import workflow_api as api  # noqa: F401

_gaps.extend(__path__, 'workflows')
