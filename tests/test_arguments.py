"""Arguments that scripts share."""

import pytest

from mmatfr.arguments import (
    add_cfg_options,
    add_decoding,
    make_parser,
    refuse_below_one,
)


def test_settings_are_read_as_values():
    parser = make_parser('Line\n\n  table')
    add_cfg_options(parser, 'both configs')
    assert parser.parse_args([]).cfg_options == {}
    args = parser.parse_args(['--cfg-options', 'a.b=2', 'c=x'])
    assert args.cfg_options == {'a.b': 2, 'c': 'x'}
    assert 'Line\n\n  table' in parser.format_help()


@pytest.mark.parametrize('setting', ['a', "a=dict(b=1,c='x')"])
def test_unreadable_settings_are_named(setting, capsys):
    parser = make_parser('')
    add_cfg_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', setting])
    assert f'{setting}: expected name=value' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('option', 'values', 'message'),
    [
        ('--min-frames', ['0'], '--min-frames 0 must be at least 1'),
        ('--bins', ['4', '-1'], '--bins 4 -1 must be at least 1'),
    ],
)
def test_numbers_below_one_are_refused(option, values, message, capsys):
    parser = make_parser('')
    add_decoding(parser)
    parser.add_argument('--bins', type=int, nargs='+', default=[1])
    names = 'min_frames', 'workers', 'bins'
    args = parser.parse_args([])
    refuse_below_one(parser, args, *names)
    assert args.min_frames == 1 and args.workers >= 1
    with pytest.raises(SystemExit):
        refuse_below_one(parser, parser.parse_args([option, *values]), *names)
    assert message in capsys.readouterr().err
