"""Data sets that other libraries write, read by gritmill and compared with what was written: `make interop`."""
