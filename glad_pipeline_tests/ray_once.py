"""Ray reads certificates and token when it is imported, once: of a process of tests `ray_home` alone may import it.

A test that imports it otherwise is refused that, and fails, rather than those that need `ray_home` later.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder


class _Refusal(MetaPathFinder, Loader):
    def find_spec(self, name, path, target=None):
        return ModuleSpec(name, self) if name == "ray" and PathFinder.find_spec(name) else None

    def exec_module(self, module):
        raise AssertionError("a test imports Ray in this process: it needs a process of its own, or `ray_home`")


_refusal = _Refusal()


def refuse():
    sys.meta_path.insert(0, _refusal)


def allow():
    sys.meta_path.remove(_refusal)
