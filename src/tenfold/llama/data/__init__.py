"""What is trained on: tokens on disk, made of texts or of images with captions, and who trains on which of them."""
