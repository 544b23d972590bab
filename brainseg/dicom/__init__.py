"""Results as DICOM, for the archive that the scans came from."""
