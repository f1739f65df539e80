"""The worker of isotorch: runs torchvision's original network for a controller in another process."""

__version__ = "0.1.0"
