"""Image resizing and augmentation, with bounding boxes and masks."""
