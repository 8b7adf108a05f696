"""The event contract: event types, record framing, limits and refusal reasons."""
