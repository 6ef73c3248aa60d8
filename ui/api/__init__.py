"""The HTTP API: one router per resource, all below /api but the health checks and the reference."""
