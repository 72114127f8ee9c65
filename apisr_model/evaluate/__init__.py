"""How good networks are: pictures to upscale, systems that upscale them, and scores side by side."""
