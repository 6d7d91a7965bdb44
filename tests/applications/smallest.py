"""The architectures tested by default: cheap ones of different families."""

SMALLEST = ("EfficientNetB0", "MobileNetV2", "MobileNetV3Small", "ResNet50V2")
