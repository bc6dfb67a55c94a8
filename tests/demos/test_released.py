"""Released networks on videos of tempo."""

from mmatfr.demos.tempo import show_released

NAME = 'resnet3d-mini-dense-atfr-path_1xb12-16x2x1-8e_tempo-small-rgb'


def test_released_weights_at_work(tempo, tmp_path, capsys):
    show_released(str(tempo), NAME, tmp_path / 'groups.png')
    rows = [
        [cell.strip() for cell in line.strip('│').split('│')]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith('│')
    ]
    assert len(rows) == 4
    for plain, sampled in zip(rows[::2], rows[1::2], strict=True):
        assert plain[2] == '1.00' and float(sampled[2]) < 0.7
        assert float(sampled[3]) < 0.7 * float(plain[3])
        assert float(sampled[1]) > 60
    assert (tmp_path / 'groups.png').stat().st_size > 1000
