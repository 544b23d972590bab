"""The process and the machine that it runs on: signals, streams, the terminal, the device, the doctor."""
