from setuptools import setup
setup(name='ops', version='1.0', packages=['ops'])
