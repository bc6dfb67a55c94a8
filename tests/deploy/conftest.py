"""A tiny recognizer and the file it was exported to."""

import pytest
from tiny_recognizers import X3D, build, make_config

from mmatfr.deploy import export_onnx


@pytest.fixture(scope='session')
def deployed(tmp_path_factory):
    """A recognizer and the file it was exported to."""
    cfg = make_config(X3D, sgs=dict(stage=1))
    recognizer = build(cfg)
    path = tmp_path_factory.mktemp('deploy') / 'x3d.onnx'
    export_onnx(recognizer, cfg, str(path))
    return recognizer, str(path)
