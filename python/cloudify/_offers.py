"""Modules that plugins may count on, although they don't require their packages.

The original's workers have these packages, and so plugins import them without
naming them in their setup.py. A plugin's virtualenv has them, if it doesn't bring
them itself, from the interpreter that it was made of: they are looked for there
when they are nowhere else. Of what else that interpreter has, a plugin sees
nothing.
"""
import importlib.machinery
import json
import os
import sys

# The packages, and what they need, by the names of their modules.
PACKAGES = {
    'Cryptodome': 'pycryptodomex', 'OpenSSL': 'pyOpenSSL', '_cffi_backend': 'cffi', '_distutils_hack': 'setuptools',
    '_yaml': 'PyYAML', 'aiohappyeyeballs': 'aiohappyeyeballs', 'aiohttp': 'aiohttp', 'aiosignal': 'aiosignal',
    'appdirs': 'appdirs', 'async_timeout': 'async-timeout', 'attr': 'attrs', 'attrs': 'attrs', 'bcrypt': 'bcrypt',
    'bottle': 'bottle', 'certifi': 'certifi', 'cffi': 'cffi', 'chardet': 'chardet',
    'charset_normalizer': 'charset-normalizer', 'cryptography': 'cryptography', 'dateutil': 'python-dateutil',
    'decorator': 'decorator', 'distro': 'distro', 'fabric': 'fabric', 'fasteners': 'fasteners', 'frozenlist': 'frozenlist',
    'idna': 'idna', 'invoke': 'invoke', 'jinja2': 'Jinja2', 'markupsafe': 'MarkupSafe', 'multidict': 'multidict',
    'nacl': 'PyNaCl', 'networkx': 'networkx', 'ntlm_auth': 'ntlm-auth', 'packaging': 'packaging', 'paramiko': 'paramiko',
    'pathlib2': 'pathlib2', 'pika': 'pika', 'pkg_resources': 'setuptools', 'pkginfo': 'pkginfo', 'ply': 'ply',
    'propcache': 'propcache', 'proxy_tools': 'proxy-tools', 'psycopg2': 'psycopg2', 'pyasn1': 'pyasn1',
    'pycparser': 'pycparser', 'pysmi': 'pysmi', 'pysnmp': 'pysnmp', 'pytz': 'pytz', 'requests': 'requests',
    'requests_ntlm': 'requests-ntlm', 'requests_toolbelt': 'requests-toolbelt', 'retrying': 'retrying',
    'setuptools': 'setuptools', 'six': 'six', 'spnego': 'pyspnego', 'typing_extensions': 'typing-extensions',
    'urllib3': 'urllib3', 'wagon': 'wagon', 'wheel': 'wheel', 'winrm': 'pywinrm', 'xmltodict': 'xmltodict', 'yaml': 'PyYAML',
    'yarl': 'yarl',
}

_NOTE = 'offers.json'


class Offers(object):
    """The last place where modules are looked for."""

    def __init__(self):
        self._folders = None

    def find_spec(self, name, path=None, target=None):
        if path is not None or name not in PACKAGES:  # parts of a package are found by it
            return None
        if self._folders is None:
            self._folders = _folders()
        spec = importlib.machinery.PathFinder.find_spec(name, self._folders)
        return spec if spec is not None and spec.loader is not None else None

    def invalidate_caches(self):
        self._folders = None


def _folders():
    """Where the interpreter that this virtualenv was made of has its packages, as
    the manager has noted it. Without a virtualenv they are on the path already."""
    if sys.prefix == sys.base_prefix:
        return []
    try:
        with open(os.path.join(sys.prefix, _NOTE)) as note:
            return [folder for folder in json.load(note) if isinstance(folder, str)]
    except (OSError, ValueError, TypeError):
        return []


def install():
    sys.meta_path.append(Offers())


def missing(error):
    """What to do about an offered module that is nowhere, because of which there
    was an error; '' if that is not why."""
    for _ in range(10):
        if error is None:
            break
        if isinstance(error, ModuleNotFoundError):
            package = PACKAGES.get((error.name or '').partition('.')[0])
            if package:
                return ('the plugin does not bring {0}, and {1} does not have it: name {0} in install_requires of the '
                        "plugin's setup.py and make its archive again, or install {0} for that Python".format(
                            package, getattr(sys, '_base_executable', None) or sys.executable))
        error = error.__cause__ or error.__context__
    return ''
