"""The linked prediction: strip, classify, segment, and back on the scan's own grid."""
