"""Names of the REST API."""


class VisibilityState(object):
    """Who sees a thing."""
    PRIVATE = 'private'
    TENANT = 'tenant'
    GLOBAL = 'global'
    STATES = [PRIVATE, TENANT, GLOBAL]


VISIBILITY_EXCEPT_PRIVATE = [VisibilityState.TENANT, VisibilityState.GLOBAL]


class AgentState(object):
    """States of agents."""
    CREATING = 'creating'
    CREATED = 'created'
    STARTING = 'starting'
    STARTED = 'started'
    STOPPING = 'stopping'
    STOPPED = 'stopped'
    DELETING = 'deleting'
    DELETED = 'deleted'
    FAILED = 'failed'
