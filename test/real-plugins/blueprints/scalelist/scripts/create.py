from cloudify import ctx
from cloudify.state import ctx_parameters as inputs

properties = ctx.instance.runtime_properties
properties.setdefault('resource_name', ctx.node.properties['resource_name'])
ctx.logger.info('Created %s', properties['resource_name'])
