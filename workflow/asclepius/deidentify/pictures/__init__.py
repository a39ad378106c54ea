"""Pictures: PNG, JPEG, TIFF and others without their metadata, pixels unchanged."""
