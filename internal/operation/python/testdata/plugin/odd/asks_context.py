from cloudify import ctx

from . import importer

try:
    _name = ctx.instance.id
except Exception:
    _name = None
where = importer()
