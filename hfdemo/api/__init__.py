"""The endpoints that gradio_client, MCP and curl can call, and the boundary that turns errors into sentences."""
