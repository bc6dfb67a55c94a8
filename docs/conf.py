"""The documentation site: ``make docs`` writes it to ``build/docs``."""

import os
import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

import mmatfr  # noqa: E402

project = 'mmatfr'
author = 'the mmatfr authors'
release = version = mmatfr.__version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx_copybutton',
]
myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 3
nb_execution_mode = 'force'
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = 'remove'
smartquotes = False
autodoc_member_order = 'bysource'
autodoc_typehints = 'none'
napoleon_use_ivar = True
napoleon_use_rtype = False
html_theme = 'furo'
html_title = f'mmatfr {release}'
html_show_sphinx = False
html_show_copyright = False
html_static_path = ['static']
html_css_files = ['site.css']

# Pages from other folders, and their names on the site.
GENERATED = DOCS / 'generated'
PAGES = {
    ROOT / 'CHANGELOG.md': 'changelog',
    ROOT / 'CONTRIBUTING.md': 'contributing',
    **{
        path: f'{folder}-{path.parent.name}'
        for folder, pattern in (
            ('data', 'tools/data/*/README.md'),
            ('zoo', 'configs/recognition/*/README.md'),
        )
        for path in sorted(ROOT.glob(pattern))
    },
}


def relink(text: str, source: Path, target: Path) -> str:
    """Rewrites the relative links of a page for its place on the site.

    Args:
        text (str): The page, in Markdown.
        source (Path): Folder of the page in the repository.
        target (Path): Folder of the page on the site.

    Returns:
        str: The page, with links that lead to the same files.
    """

    def move(match: re.Match) -> str:
        link, hash_, anchor = match[1].partition('#')
        path = Path(os.path.normpath(source / link))
        if path in PAGES:
            path = GENERATED / f'{PAGES[path]}.md'
        elif path == ROOT / 'README.md':
            path = DOCS / 'index.md'
        return f']({os.path.relpath(path, target)}{hash_}{anchor})'

    return re.sub(r'\]\((?!\w+:|#)([^)\s]+)\)', move, text)


def write_pages(app, config) -> None:
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir()
    for path, name in PAGES.items():
        text = relink(path.read_text('utf-8'), path.parent, GENERATED)
        (GENERATED / f'{name}.md').write_text(text, 'utf-8')


def relink_page(app, docname: str, source: list) -> None:
    folder = (DOCS / docname).parent
    if folder != GENERATED and not docname.startswith('notebooks/'):
        source[0] = relink(source[0], folder, folder)


def skip_member(app, what, name, obj, skip, options):
    # Fields of named tuples are in the docstring of their class.
    if (getattr(obj, '__doc__', None) or '').startswith('Alias for field'):
        return True
    return None


def setup(app) -> None:
    app.connect('config-inited', write_pages)
    app.connect('source-read', relink_page)
    app.connect('autodoc-skip-member', skip_member)
