"""Which package serves as `cloudify`: this one, or the original's.

A plugin's environment may bring the original's package. Then operations run
on that, as it is, and of this package only what is beneath them is used: the
modules whose names begin with an underscore, which are added to its path.
Workflows run on this package everywhere, because their graphs are run by the
orchestrator; what it lacks is taken from the original (_gaps).
"""
import importlib
import importlib.util
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
_FRAMEWORK = os.path.dirname(_here)


def original():
    """Whether the original's package serves."""
    return not _is_own(sys.modules['cloudify'].__path__[0])


def _is_own(folder):
    return os.path.exists(os.path.join(folder, '_serving.py'))


def choose():
    """Makes the original's package serve, if there is one that works.

    The path must not lead to this package. Tells why one that is there does not
    serve, else None.
    """
    trouble = None
    try:
        spec = importlib.util.find_spec('cloudify')
        if spec is not None and spec.origin and os.path.exists(os.path.join(os.path.dirname(spec.origin), 'endpoint.py')):
            package = importlib.import_module('cloudify')
            package.__path__.append(_here)
            importlib.import_module('cloudify._original')
            return None
    except Exception as error:  # whatever is wrong with it
        trouble = 'the package cloudify in {0} does not serve: {1!r}'.format(spec.origin, error)
    own()
    return trouble


def own():
    """Makes this package serve from now on."""
    for name in list(sys.modules):
        if name == 'cloudify' or name.startswith('cloudify.'):
            del sys.modules[name]
    if _FRAMEWORK not in sys.path:
        sys.path.insert(0, _FRAMEWORK)


def version():
    """Names the package that serves and its version."""
    if not original():
        return 'own'
    try:
        from importlib import metadata
        for name in ('cloudify-common', 'cloudify-plugins-common'):
            try:
                return '{0} {1}'.format(name, metadata.version(name))
            except metadata.PackageNotFoundError:
                pass
    except ImportError:
        pass
    return 'cloudify-common'
