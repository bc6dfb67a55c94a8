"""Recipes trained and tested against each other on tempo."""
