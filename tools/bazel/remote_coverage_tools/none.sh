#!/bin/sh
echo "coverage tools are not part of this workspace" >&2
exit 1
