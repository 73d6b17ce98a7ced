"""Events of tasks are the orchestrator's; this is for code that imports it."""
from cloudify import _gaps

__getattr__ = _gaps.filler(__name__)


def send_task_event(state, task, send_event_func=None, event=None):
    """Does nothing: the orchestrator tells of tasks."""
