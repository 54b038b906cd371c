"""Mixins that change how an off-policy agent collects its transitions."""
