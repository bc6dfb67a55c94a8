"""Converts an X3D (XS to L) of mmaction2 to pytorchvideo."""

from _convert import THEIRS, run_converter

from mmatfr.models.pytorchvideo import to_pytorchvideo

if __name__ == '__main__':
    run_converter(__doc__, to_pytorchvideo, THEIRS)
