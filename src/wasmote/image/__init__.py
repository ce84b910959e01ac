"""Images: position-independent native code in a file, mapped and called in place.

`format` is the container, `link` makes one from LLVM's object file, `loader` maps one, `core` builds and
finds the image of the virtual machine itself. Loading needs neither LLVM nor a linker.
"""
