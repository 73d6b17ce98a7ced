"""What requests give."""
import functools


class Resource(dict):
    """One thing of the manager; its fields are keys, and attributes as well.

    A field that the answer lacks is None as an attribute.
    """

    # What the items of fields that are lists are, if they have attributes, too.
    _parts: dict = {}

    def __init__(self, *args, **kwargs):
        super(Resource, self).__init__(*args, **kwargs)
        for field, kind in self._parts.items():
            if self.get(field):
                self[field] = [kind(item) for item in self[field]]

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return self.get(name)


class Pagination(Resource):
    """Where a page is among all."""

    offset: int
    size: int
    total: int


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

    def sort(self, cmp=None, key=None, reverse=False):
        """Sorts the items of the page."""
        self.items.sort(key=functools.cmp_to_key(cmp) if cmp else key, reverse=reverse)

    def one(self):
        """The only item; anything else is a ValueError."""
        if len(self.items) != 1:
            raise ValueError('Called one() on a list of {0} items'.format(len(self.items)))
        return self.items[0]


class DeletedResponse(object):
    """How many things are gone."""

    def __init__(self, response):
        self.deleted = response
