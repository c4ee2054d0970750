"""Settings: ``tokenboard.toml``, overridden by ``TOKENBOARD_…`` variables, read once at the start.

file ─┐
environment ─┴▶ load_settings ─▶ Settings (frozen) ─▶ the composition root hands each part its own options
"""

from tokenboard.config.load import ConfigError, load_settings
from tokenboard.config.masking import effective_settings
from tokenboard.config.settings import Settings

__all__ = ["ConfigError", "Settings", "effective_settings", "load_settings"]
