from cloudify.exceptions import NonRecoverableError

raise NonRecoverableError('on purpose')
