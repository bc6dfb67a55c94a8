"""Tables of the scripts on a narrow terminal."""

import io

from rich.console import Console

from mmatfr.cli import make_table, print_table


def test_wide_table_is_printed_in_parts():
    columns = ['work', 'side', *(f'measure {i}' for i in range(9))]
    table = make_table('times', columns)
    table.add_row('forward', 'base', *(f'1.23 [{i}.1, 2.0]' for i in range(9)))
    file = io.StringIO()
    print_table(table, Console(file=file, width=80), names=2)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert '…' not in text and '...' not in text
    assert text.count('│ forward │ base │') > 1
    for i in range(9):
        assert text.count(f'measure {i}') == text.count(f'[{i}.1, 2.0]') == 1
