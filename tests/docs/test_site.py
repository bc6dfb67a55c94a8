"""The documentation site builds without a warning."""

import subprocess
import sys
from html import unescape
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_site_builds(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q']
        + ['-d', tmp_path / 'doctrees', ROOT / 'docs', tmp_path / 'site'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Pages from all sources, and text of docstrings.
    for page, text in (
        ('index', 'Similarity Guided Sampling'),
        ('generated/data-tempo', 'check_shortcuts'),
        ('generated/zoo-x3d', 'x3d_m_8xb16'),
        ('generated/changelog', '0.2.0'),
        ('api/sgs', 'mmatfr.sgs.SGS'),
        # Output of the notebook.
        ('notebooks/two_videos', "mostly still: oscillate_left_first, B' = 3"),
    ):
        html = (tmp_path / f'site/{page}.html').read_text()
        assert text in unescape(html), page
    assert 'src="../_images/' in html  # the figure that the notebook draws


def test_no_line_of_a_page_is_a_comment():
    """MyST leaves out lines that start with a percent sign."""
    pages = list(ROOT.glob('*.md'))
    for folder in ('docs', 'configs', 'tools', 'releases'):
        pages += (ROOT / folder).rglob('*.md')
    assert ROOT / 'docs/performance.md' in pages
    hidden = [
        f'{page}: {line}'
        for page in pages
        for line in page.read_text().splitlines()
        if line.lstrip().startswith('%')
    ]
    assert not hidden
