"""README and docs: links, commands and snippets work."""

import argparse
import functools
import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pytest
from mmaction.registry import HOOKS, METRICS, MODELS
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ('README.md', 'CONTRIBUTING.md')),
    *sorted(ROOT.glob('docs/*.md')),
    *sorted(ROOT.glob('tools/data/*/README.md')),
    *sorted(ROOT.glob('configs/recognition/*/README.md')),
]
# Pages with snippets that other tests run, with the files they need.
TESTED_ELSEWHERE = {'deploy.md', 'forward.md'}


def page_id(page):
    return str(page.relative_to(ROOT))


def anchors(page):
    """Anchors of the headings, as GitHub and the site name them."""
    heads = re.findall(r'^#{1,4} (.+)$', page.read_text(), re.M)
    return {
        re.sub(r'[^\w\- ]', '', head.lower()).replace(' ', '-')
        for head in heads
    }


@pytest.mark.parametrize('page', PAGES, ids=page_id)
def test_links_lead_to_files_and_headings(page):
    for link in re.findall(r'\]\(([^)\s]+)\)', page.read_text()):
        if '://' in link:
            continue
        target, _, anchor = link.partition('#')
        path = page.parent / target if target else page
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(path), link


def test_readme_is_short():
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 200


@functools.cache
def scripts():
    """Finds the scripts that parse arguments, by file name."""
    names = {}
    for path in sorted(ROOT.glob('tools/**/*.py')):
        if 'def parse_args' in path.read_text():
            names.setdefault(path.name, []).append(path)
    return names


def find_commands(page):
    """Yields (script, words, whether the command is whole) of a page."""
    text = page.read_text()
    lines = []
    for block in re.findall(r'```shell\n(.*?)```', text, re.S):
        block = re.sub(r'\s*\\\n\s*', ' ', block)
        lines += [(line, True) for line in block.splitlines()]
    prose = re.sub(r'```.*?```', '', text, flags=re.S)
    for code in re.findall(r'`([^`]+)`', prose):
        lines.append((' '.join(code.split()), False))
    for line, whole in lines:
        words = shlex.split(line, comments=True) if '.py' in line else []
        if words and words[0].endswith('python'):
            words = words[1:]
        if not words or not words[0].endswith('.py'):
            continue
        if len(words) == 1 and not whole:
            continue  # names the script, perhaps one of mmaction2
        known = scripts().get(Path(words[0]).name, [])
        if words[0].startswith('tools/'):
            assert (ROOT / words[0]).is_file(), f'{line}: no such file'
        for path in known:
            if f'/{path}'.endswith(f'/{words[0]}'):
                yield path, words[1:], whole and '...' not in words


@functools.cache
def load_script(path):
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location(
            f'page_{path.stem}', path
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


@pytest.mark.parametrize('page', PAGES, ids=page_id)
def test_scripts_take_the_options_of_the_commands(page, monkeypatch, capsys):
    parse_known_args = argparse.ArgumentParser.parse_known_args
    parsers = []

    def parse(parser, *args):
        parsers.append(parser)
        return parse_known_args(parser, *args)

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_known_args', parse)
    for path, words, whole in find_commands(page):
        monkeypatch.setattr(sys, 'argv', [str(path), *words])
        done = True
        try:
            load_script(path).parse_args()
        except SystemExit:
            done = False
        assert done or not whole, f'{words}: {capsys.readouterr().err}'
        known = parsers[-1]._option_string_actions
        assert {w for w in words if w.startswith('--')} <= set(known), words


def find_types(value):
    if isinstance(value, dict):
        if isinstance(value.get('type'), str):
            yield value['type']
        for child in value.values():
            yield from find_types(child)
    elif isinstance(value, (list, tuple)):
        for child in value:
            yield from find_types(child)


@pytest.mark.parametrize(
    'page',
    [page for page in PAGES if page.name not in TESTED_ELSEWHERE],
    ids=page_id,
)
def test_snippets_run(page, monkeypatch, tmp_path):
    """Each snippet runs in the scope of those before it on its page.

    Code that a page omits is in a comment before the block, `run: setup`. A
    block after `run: needs PACKAGE` runs where the package is installed. A
    config that refers to its bases is read as a config.
    """
    (tmp_path / '_base_').symlink_to(ROOT / 'configs/_base_')
    for registry in (MODELS, HOOKS, METRICS):
        # Registrations of a page do not outlive it.
        monkeypatch.setattr(
            registry, '_module_dict', dict(registry._module_dict)
        )
    scope = {'__name__': 'page'}
    text = page.read_text()
    for hidden, package, code in re.findall(
        r'<!-- run: setup\n(.*?)-->'
        r'|(?:<!-- run: needs (\w+) -->\s*)?```python\n(.*?)```',
        text,
        re.S,
    ):
        if package and importlib.util.find_spec(package) is None:
            continue
        if '_base_.' in code:
            config = tmp_path / 'config.py'
            config.write_text(code)
            read = Config.fromfile(config).to_dict()
            own = re.findall(r'^([a-z]\w*) = ', code, re.M)
            scope.update({name: read[name] for name in own})
        else:
            exec(hidden or code, scope)
        scope.pop('__builtins__', None)
        for name in find_types(scope):
            assert any(
                registry.get(name) for registry in (MODELS, HOOKS, METRICS)
            ), f'no {name} is registered'
