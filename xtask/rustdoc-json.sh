#!/bin/sh
# Rustdoc as cargo calls it, allowed to write JSON. Only rustdoc may see the variable: build scripts look at it too, and
# half of the tree would be built again.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
