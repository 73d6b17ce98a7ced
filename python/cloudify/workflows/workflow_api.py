"""Requests to cancel the current workflow."""

EXECUTION_CANCELLED_RESULT = 'execution_cancelled'

cancel_request = False
kill_request = False
cancel_callbacks = set()
kill_callbacks = set()


class ExecutionCancelled(Exception):
    """A workflow raises this when it ends because it was asked to."""


def has_cancel_request():
    """Tells whether the workflow was asked to end.

    A workflow that does longer things itself looks here now and then, cleans up
    and raises ExecutionCancelled.
    """
    return cancel_request or kill_request


def has_kill_request():
    """Tells whether the workflow is about to be ended by force."""
    return kill_request


def set_cancel_request():
    global cancel_request
    cancel_request = True
    for callback in list(cancel_callbacks):
        callback()


def set_kill_request():
    global cancel_request, kill_request
    cancel_request = kill_request = True
    for callback in list(kill_callbacks) + list(cancel_callbacks):
        callback()
