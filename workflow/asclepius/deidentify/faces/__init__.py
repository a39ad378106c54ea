"""Faces in head MR and CT: found by registration to a template, blanked in all volumes of a frame of reference."""
