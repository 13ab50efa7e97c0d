#!/bin/bash
# The installed library: a prefix is filled by `cmake --install`, then programs in C and C++ are built against it through
# CMake and through pkg-config, and run, without a look at the source tree. Then `make install` with DESTDIR, and the
# prefix moved elsewhere.
# timeout: 300
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

[ -e "$CAUSEWAY_LIB/libcauseway.so.1" ] || skip "there is no libcauseway.so.1 in this build"
cc=${CAUSEWAY_CC:-cc}
cxx=${CAUSEWAY_CXX:-c++}
prefix=$TEST_TMP/prefix
consumer=$TEST_TMP/consumer

# quietly COMMAND...: its output only when it fails.
quietly() {
    "$@" >"$TEST_TMP/log" 2>&1 || fail "$*"$'\n'"$(cat "$TEST_TMP/log")"
}

quietly cmake --install "$CAUSEWAY_BUILD" --prefix "$prefix"
for file in include/causeway/causeway.h include/causeway/causeway.hpp lib/libcauseway.so lib/libcauseway.so.1 \
    lib/cmake/causeway/causewayConfig.cmake lib/pkgconfig/causeway.pc; do
    [ -e "$prefix/$file" ] || fail "not installed: $file"
done
for program in causeway causewayd; do
    if [ -e "$CAUSEWAY_BIN/$program" ]; then
        [ -x "$prefix/bin/$program" ] || fail "not installed: bin/$program"
        quietly "$prefix/bin/$program" --version
    fi
done
if grep -rIl "$CAUSEWAY_SOURCE" "$prefix"; then
    fail "these installed files name the source tree"
fi

mkdir "$consumer"
cat >"$consumer/plain.c" <<'SOURCE'
#include <causeway/causeway.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    const char* version = cw_version_string();
    puts(version);
    return strlen(version) > 0 ? 0 : 1;
}
SOURCE
cat >"$consumer/modern.cpp" <<'SOURCE'
#include <causeway/causeway.hpp>
#include <cstdio>
#include <cstdlib>
int main() {
    // Nobody listens there: an error value, no exception, and a text that says so.
    setenv("CAUSEWAY_SOCKET", "/nonexistent/fabric.sock", 1);
    auto partition = causeway::Partition::attach("consumer");
    std::puts(cw_version_string());
    return partition ? 1 : 0;
}
SOURCE
cat >"$consumer/CMakeLists.txt" <<'SOURCE'
cmake_minimum_required(VERSION 3.16)
project(consumer C CXX)
find_package(causeway 0.1 REQUIRED)
add_executable(plain plain.c)
add_executable(modern modern.cpp)
target_link_libraries(plain causeway::causeway)
target_link_libraries(modern causeway::causeway)
SOURCE

through_cmake() {
    rm -rf "$consumer/build"
    quietly cmake -S "$consumer" -B "$consumer/build" -DCMAKE_PREFIX_PATH="$1" \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx"
    quietly cmake --build "$consumer/build"
    quietly "$consumer/build/plain"
    quietly "$consumer/build/modern"
}

through_pkg_config() {
    local flags
    export PKG_CONFIG_PATH=$1/lib/pkgconfig
    read -r -a flags <<<"$(pkg-config --cflags --libs causeway)"
    quietly "$cc" -std=c11 -Wall -Werror "$consumer/plain.c" -o "$consumer/plain" "${flags[@]}"
    quietly "$cxx" -std=c++20 -Wall -Werror "$consumer/modern.cpp" -o "$consumer/modern" "${flags[@]}"
    quietly env LD_LIBRARY_PATH="$1/lib" "$consumer/plain"
    quietly env LD_LIBRARY_PATH="$1/lib" "$consumer/modern"
    version=$(env LD_LIBRARY_PATH="$1/lib" "$consumer/plain")
    [ "$version" = "$(pkg-config --modversion causeway)" ] ||
        fail "the library says $version, pkg-config $(pkg-config --modversion causeway)"
}

through_cmake "$prefix"
through_pkg_config "$prefix"

# The same after the prefix has moved.
mv "$prefix" "$TEST_TMP/moved"
through_cmake "$TEST_TMP/moved"
through_pkg_config "$TEST_TMP/moved"

# `make install` as a packager calls it; -o: what is built stays as it is.
quietly make -C "$CAUSEWAY_SOURCE" -o build install BUILD="$CAUSEWAY_BUILD" DESTDIR="$TEST_TMP/stage" PREFIX=/opt/causeway
[ -e "$TEST_TMP/stage/opt/causeway/lib/libcauseway.so.1" ] || fail "make install ignores DESTDIR or PREFIX"
