"""Marks for functions that are operations or workflows."""


def operation(func=None, resumable=False, **_):
    """Marks an operation; resumable: it may run again after an interruption."""
    if func is None:
        return lambda function: operation(function, resumable=resumable)
    func.resumable = resumable
    return func


def workflow(func=None, system_wide=False, resumable=False, **_):
    """Marks a workflow."""
    if func is None:
        return lambda function: workflow(function, system_wide=system_wide, resumable=resumable)
    func.workflow_system_wide = system_wide
    func.resumable = resumable
    return func


task = operation
