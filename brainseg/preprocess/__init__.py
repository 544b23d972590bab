"""What is done to a scan or slice before a network sees it, when training as when predicting."""
