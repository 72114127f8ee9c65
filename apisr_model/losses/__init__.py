"""What a generator and its discriminator are trained by: pixel, perceptual and adversarial terms."""
