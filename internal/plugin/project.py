# Tells, as JSON, what the source in the folder argv[1] consists of.
import json
import os
import runpy
import sys
import types

folder = os.path.abspath(sys.argv[1])
os.chdir(folder)
sys.argv = ['setup.py', '--version']
sys.path.insert(0, folder)
told = {}


def setup(**options):
    told.update(options)


def anything(*_, **__):
    return Anything()


class Anything(list):
    """Stands for whatever a setup.py takes from setuptools."""

    def __init__(self, *_, **__):
        super().__init__()

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return anything


def find_packages(where='.', *_, **__):
    found = []
    for path, folders, files in os.walk(where):
        folders[:] = [f for f in folders if os.path.exists(os.path.join(path, f, '__init__.py'))]
        found += [os.path.relpath(os.path.join(path, f), where).replace(os.sep, '.') for f in folders]
    return found


class Extension(Anything):
    """A part that must be compiled."""


def stand_in(name):
    module = types.ModuleType(name)
    module.setup, module.find_packages, module.find_namespace_packages = setup, find_packages, find_packages
    module.Extension = Extension
    module.__getattr__ = lambda attribute: Extension if attribute == 'Extension' else type(attribute, (Anything,), {})
    module.__path__ = []
    sys.modules[name] = module
    return module


for name in ('setuptools', 'setuptools.command', 'setuptools.command.install', 'setuptools.command.develop',
             'setuptools.command.build_py', 'setuptools.command.egg_info', 'setuptools.command.test',
             'setuptools.extension', 'distutils', 'distutils.core', 'pkg_resources'):
    stand_in(name)


def configured():
    """What setup.cfg and pyproject.toml say."""
    options = {}
    if os.path.exists('setup.cfg'):
        import configparser
        parser = configparser.RawConfigParser()
        parser.read('setup.cfg', encoding='utf-8')
        if parser.has_section('metadata'):
            options.update((k, v) for k, v in parser.items('metadata') if k in ('name', 'version'))
        if parser.has_option('options', 'install_requires'):
            options['install_requires'] = parser.get('options', 'install_requires').split('\n')
        if parser.has_option('options', 'package_dir'):
            pairs = [line.partition('=') for line in parser.get('options', 'package_dir').split('\n') if '=' in line]
            options['package_dir'] = {key.strip(): value.strip() for key, _, value in pairs}
    if os.path.exists('pyproject.toml'):
        try:
            import tomllib
        except ImportError:
            return dict(options, unknown=True)
        with open('pyproject.toml', 'rb') as f:
            document = tomllib.load(f)
        project = document.get('project') or {}
        options.update((k, project[k]) for k in ('name', 'version') if k in project)
        if 'dependencies' in project:
            options['install_requires'] = project['dependencies']
        tool = document.get('tool') or {}
        settings = tool.get('setuptools') or {}
        where = ((settings.get('packages') or {}) if isinstance(settings.get('packages'), dict) else {}).get('find', {}).get('where')
        if where:
            options['package_dir'] = {'': where[0]}
        elif settings.get('package-dir'):
            options['package_dir'] = settings['package-dir']
        if tool.get('poetry'):
            options['unknown'] = True
    return options


options = configured()
if os.path.exists('setup.py'):
    runpy.run_path('setup.py', run_name='__main__')
    options.update(told)

if isinstance(options.get('install_requires'), str):
    options['install_requires'] = options['install_requires'].split('\n')
requires = [r.strip() for r in options.get('install_requires') or [] if isinstance(r, str) and r.strip()]
package_dir = options.get('package_dir') or {}
folders = sorted(set(os.path.normpath(os.path.join(folder, package_dir.get('', '.'))) for _ in (1,)))
if not package_dir and os.path.isdir('src') and not find_packages('.'):
    folders = [os.path.join(folder, 'src')]
text = lambda value: value if isinstance(value, str) else ''  # noqa: E731
print('\n' + json.dumps({
    'name': text(options.get('name')), 'version': text(options.get('version')), 'requires': requires, 'folders': folders,
    'builds': bool(options.get('ext_modules') or options.get('cffi_modules') or options.get('unknown')
                   or any(key for key in package_dir)),
}))
