#!/bin/sh
# As RUSTC_WRAPPER: coverage counters and checks for the crates of this repository, on any
# toolchain; dependencies are built as always.
rustc="$1"
shift
case " $* " in
*" --crate-name cxmart "* | *" --crate-name cxmart_fuzz "* | *" --crate-name records "* | *" --crate-name typing "*)
    exec "$rustc" "$@" --cfg fuzzing -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares \
        -Cdebug-assertions=yes -Coverflow-checks=yes
    ;;
esac
exec "$rustc" "$@"
