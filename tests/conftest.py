"""What holds for all tests: examples are judged by what they give, never by how long a busy machine took over them."""

from hypothesis import HealthCheck, settings

settings.register_profile("lookback", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lookback")
