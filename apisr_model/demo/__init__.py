"""A page in the browser that upscales pictures and videos, and shows the pseudo ground truth and the degradation."""
