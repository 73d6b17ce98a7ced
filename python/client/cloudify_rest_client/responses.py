"""What requests give."""


class Resource(dict):
    """One thing of the manager; its fields are keys, and attributes as well.

    A field that the answer lacks is None as an attribute.
    """

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return self.get(name)


class Pagination(Resource):
    """offset, size, total."""


class Metadata(Resource):
    """pagination, filtered."""

    @property
    def pagination(self):
        return Pagination(self.get('pagination') or {})


class ListResponse(object):
    """A page of things: it is iterated, and has items and metadata."""

    def __init__(self, items, metadata=None):
        self.items = items
        self.metadata = Metadata(metadata or {})

    def __iter__(self):
        return iter(self.items)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]

    def one(self):
        """The only item; anything else is a ValueError."""
        if len(self.items) != 1:
            raise ValueError('Called one() on a list of {0} items'.format(len(self.items)))
        return self.items[0]
