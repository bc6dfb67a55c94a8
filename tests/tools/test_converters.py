"""The converters as commands, there and back."""

import pytest
import torch
from script_runs import assert_one_line, run_script

import mmatfr

NAME = 'x3d_s_8xb16-13x6x1-300e_kinetics400-rgb'


def run(script, *args):
    return run_script(f'tools/model_converters/{script}', *args)


@pytest.mark.parametrize('other', ['pyslowfast', 'pytorchvideo'])
def test_there_and_back(other, tmp_path):
    weights = mmatfr.create_model(NAME).state_dict()
    ours, theirs, back = (tmp_path / f'{i}.pth' for i in range(3))
    torch.save(dict(state_dict=weights), ours)
    for script, *files in (
        (f'mmaction2_to_{other}.py', ours, theirs),
        (f'{other}_to_mmaction2.py', theirs, back),
    ):
        done = run(script, *files)
        assert done.returncode == 0, done.stderr
        assert 'weights written to' in done.stdout
    assert 'model_state' in torch.load(theirs, weights_only=True)
    model = mmatfr.create_model(NAME, checkpoint=str(back))
    clip = torch.rand(1, 1, 3, 4, 64, 64)
    with torch.no_grad():
        logits = model(clip, mode='tensor', stage='head')
        model.load_state_dict(weights)
        expected = model(clip, mode='tensor', stage='head')
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_no_weights_is_one_line(tmp_path):
    torch.save(dict(epoch=3), tmp_path / 'a.pth')
    for script in (
        'pytorchvideo_to_mmaction2.py',
        'mmaction2_to_pyslowfast.py',
    ):
        done = run(script, tmp_path / 'a.pth', tmp_path / 'b.pth')
        assert_one_line(done, 'has no weights')
    assert not (tmp_path / 'b.pth').exists()
