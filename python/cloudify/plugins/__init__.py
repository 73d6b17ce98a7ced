"""Workflows, and what they are made of."""
from cloudify import _gaps

_gaps.extend(__path__, 'plugins')
