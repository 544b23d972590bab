"""The program that answers without torch. It is exported as one file: `brainseg.export.joined`."""
