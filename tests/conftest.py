"""What all tests share: a slow machine makes tests slow, not wrong."""

from hypothesis import settings

settings.register_profile("attune", deadline=None)
settings.load_profile("attune")
