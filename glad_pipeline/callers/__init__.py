"""Who asks for something through the gateway: API keys with their scopes, and sessions that are opened with them."""
