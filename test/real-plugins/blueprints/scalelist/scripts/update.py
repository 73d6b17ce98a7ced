from cloudify import ctx

ctx.instance.runtime_properties['updated'] = True
