"""The documentation site: ``make docs`` writes it to ``build/docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import mmatfr

project = 'mmatfr'
author = 'the mmatfr authors'
release = version = mmatfr.__version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.napoleon',
    'sphinx_copybutton',
]
exclude_patterns = ['build', '**.ipynb_checkpoints']

# Pages link to their headings, and some hold mathematics.
myst_enable_extensions = ['attrs_block', 'colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 3

nb_execution_mode = 'auto'
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_member_order = 'bysource'
autodoc_typehints = 'none'
napoleon_google_docstring = True
napoleon_use_rtype = False

html_theme = 'furo'
html_title = f'mmatfr {release}'
html_show_sphinx = False
copybutton_exclude = '.linenos, .gp'
