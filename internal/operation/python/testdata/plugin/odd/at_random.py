"""A value that is another each time, where it is not seen at once."""
import uuid

from . import importer


class _Holder(object):
    def __init__(self):
        self.held = {'list': [uuid.uuid4()]}


HOLDER = _Holder()
where = importer()
