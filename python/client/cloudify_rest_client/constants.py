"""Names of the REST API."""


class VisibilityState(object):
    """Who sees a thing."""
    PRIVATE = 'private'
    TENANT = 'tenant'
    GLOBAL = 'global'


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
