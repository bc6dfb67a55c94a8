"""The model zoo: models by name, metafiles, releases."""

from .models import create_model, list_models

__all__ = ['create_model', 'list_models']
