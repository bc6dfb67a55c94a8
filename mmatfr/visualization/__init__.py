"""Figures of groups, charts of tables, pages and activation maps."""
