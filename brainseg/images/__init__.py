"""Scans and label maps: arrays that know their place, read from files and written back onto their grid."""
