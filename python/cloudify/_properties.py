"""Dictionaries of properties."""
import copy
import json

from cloudify import exceptions


def _refuse(*_, **__):
    raise exceptions.NonRecoverableError('Cannot override read only properties')


class ImmutableProperties(dict):
    """Properties of a node: they come from the blueprint and stay."""

    __setitem__ = __delitem__ = update = clear = pop = popitem = setdefault = _refuse

    def __copy__(self):
        return dict(self)

    def __deepcopy__(self, memo):
        return copy.deepcopy(dict(self), memo)


class RuntimeProperties(dict):
    """Runtime properties of an instance.

    What was changed is found by comparing with what was loaded, so a change of
    nested data counts as well.
    """

    def __init__(self, values=None, modifiable=True):
        super(RuntimeProperties, self).__init__(values or {})
        self.modifiable = modifiable
        self._loaded = _fingerprint(self)
        self._said_dirty = False

    @property
    def dirty(self):
        if self._said_dirty:
            return True
        changed, removed = self.changes()
        return bool(changed or removed)

    @dirty.setter
    def dirty(self, dirty):
        """True changes nothing, for changes are found anyway; False forgets what
        was changed so far: it is not stored."""
        self._said_dirty = bool(dirty)
        if not dirty:
            self._loaded = _fingerprint(self)

    def changes(self):
        """The properties set since loading, and the names of those removed."""
        now = _fingerprint(self)
        changed = {key: self[key] for key, text in now.items() if self._loaded.get(key) != text}
        return changed, [key for key in self._loaded if key not in now]

    def replace(self, values):
        """Makes values the properties; what is compared with stays."""
        self._check()
        values = dict(values)
        super(RuntimeProperties, self).clear()
        super(RuntimeProperties, self).update(values)

    def _check(self):
        if not self.modifiable:
            raise exceptions.NonRecoverableError(
                'Cannot modify runtime properties of relationship node instances')

    def __setitem__(self, key, value):
        self._check()
        super(RuntimeProperties, self).__setitem__(key, value)

    def __delitem__(self, key):
        self._check()
        super(RuntimeProperties, self).__delitem__(key)

    def update(self, *args, **kwargs):
        self._check()
        super(RuntimeProperties, self).update(*args, **kwargs)

    def clear(self):
        self._check()
        super(RuntimeProperties, self).clear()

    def pop(self, key, default=None):
        self._check()
        return super(RuntimeProperties, self).pop(key, default)

    def popitem(self):
        self._check()
        return super(RuntimeProperties, self).popitem()

    def setdefault(self, key, default=None):
        self._check()
        return super(RuntimeProperties, self).setdefault(key, default)

    def copy(self):
        return dict(self)

    def __copy__(self):
        return dict(self)

    def __deepcopy__(self, memo):
        return copy.deepcopy(dict(self), memo)


def _fingerprint(values):
    fingerprint = {}
    for key, value in values.items():
        try:
            fingerprint[key] = json.dumps(value, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise exceptions.NonRecoverableError(
                'runtime property {0!r} cannot be stored: {1}'.format(key, error))
    return fingerprint
