"""Backlight finds the operations behind a language-model service's traffic."""
