"""An object that stands for another, looked up at each use."""


def _forward(name):
    def method(self, *args, **kwargs):
        return getattr(self._get_current_object(), name)(*args, **kwargs)
    method.__name__ = name
    return method


class Proxy(object):
    """Stands for whatever look_up returns now."""

    __slots__ = ('_look_up',)

    def __init__(self, look_up):
        object.__setattr__(self, '_look_up', look_up)

    def _get_current_object(self):
        return object.__getattribute__(self, '_look_up')()

    def __getattr__(self, name):
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name, value):
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name):
        delattr(self._get_current_object(), name)

    def __repr__(self):
        try:
            return repr(self._get_current_object())
        except RuntimeError:
            return '<no current context>'

    def __dir__(self):
        try:
            return dir(self._get_current_object())
        except RuntimeError:
            return []

    def __bool__(self):
        try:
            return bool(self._get_current_object())
        except RuntimeError:
            return False

    def __eq__(self, other):
        return self._get_current_object() == other

    def __ne__(self, other):
        return self._get_current_object() != other

    def __hash__(self):
        return hash(self._get_current_object())

    __str__ = _forward('__str__')
    __call__ = _forward('__call__')
    __len__ = _forward('__len__')
    __iter__ = _forward('__iter__')
    __contains__ = _forward('__contains__')
    __getitem__ = _forward('__getitem__')
    __setitem__ = _forward('__setitem__')
    __delitem__ = _forward('__delitem__')
