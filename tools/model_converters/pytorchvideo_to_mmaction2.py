"""Converts an X3D (XS to L) of pytorchvideo to mmaction2."""

from _convert import OURS, run_converter

from mmatfr.models.pytorchvideo import from_pytorchvideo

if __name__ == '__main__':
    run_converter(__doc__, from_pytorchvideo, OURS)
