"""What the CMIS plan does with a module: each topic one acquisition, which gives many checks of one thing
that is done, and leaves the module as it found it."""
