"""Adds configs, tools and metafiles to the package, for mim."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MIM = ('configs', 'tools', 'releases', 'model-index.yml')


class BuildWithMim(build_py):
    """Adds ``mmatfr/.mim`` to the built package; a clone needs no copy."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'mmatfr' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        for name in MIM:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source,
                    target / name,
                    ignore=shutil.ignore_patterns('__pycache__'),
                )
            elif source.is_file():
                shutil.copy2(source, target / name)


setup(cmdclass={'build_py': BuildWithMim})
