"""discord.py imports the deprecated `audioop` for voice, which the bot never uses; here warnings are errors."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord  # noqa: F401
