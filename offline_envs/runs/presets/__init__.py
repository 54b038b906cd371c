"""Presets: settings from papers, releases and our own runs, one file an algorithm."""
