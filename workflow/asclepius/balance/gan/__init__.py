"""Synthetic images from a class-conditional generative adversarial network (GAN)."""
