"""Jinja2 templates."""
from cloudify import exceptions

_MARKS = ('{{', '{%', '{#')


def available():
    """Tells whether this Python has Jinja2."""
    try:
        import jinja2  # noqa: F401
    except ImportError:
        return False
    return True


def is_template(text):
    """Tells whether there is anything in text to render."""
    return any(mark in text for mark in _MARKS)


def render(text, variables, ctx):
    """Renders text with the variables and ctx."""
    variables = dict(variables or {})
    if 'ctx' in variables:
        raise exceptions.NonRecoverableError(
            'Key not allowed - a key named ctx is in template_variables')
    if not is_template(text):
        return text
    try:
        import jinja2
    except ImportError:
        raise exceptions.NonRecoverableError(
            'templates are rendered by Jinja2, which this Python lacks: install python3-jinja2')
    variables['ctx'] = ctx
    return jinja2.Template(text).render(variables)
