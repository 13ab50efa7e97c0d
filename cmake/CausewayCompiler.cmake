# Flags for every target. No -march: code that wants wider instructions carries per-function target attributes
# and asks the processor at run time, so one binary serves every x86-64 machine.

add_compile_options(
    -Wall -Wextra -Wpedantic -Wconversion -Wcast-qual -Wformat=2 -Wundef
    $<$<C_COMPILER_ID:GNU>:-Wshadow=local>
    $<$<C_COMPILER_ID:Clang>:-Wshadow>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-sign-conversion>  # GCC's -Wconversion leaves it out of C++, too
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
    $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wduplicated-cond>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wlogical-op>)
if(CAUSEWAY_WERROR)
    add_compile_options(-Werror)
endif()

# In both languages, so that nothing leaves the shared library unless it is marked and listed.
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(CAUSEWAY_SANITIZE)
    add_compile_options(-fsanitize=${CAUSEWAY_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${CAUSEWAY_SANITIZE})
    # The checks that the sanitizers insert make GCC's optimiser warn of values that are never read.
    add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
    if(CAUSEWAY_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=all)
    endif()
    if(CAUSEWAY_SANITIZE MATCHES "thread")
        # GCC warns about stand-alone fences, which ThreadSanitizer does not model; each is marked SYNC where it stands.
        add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
    endif()
else()
    # Hardening that costs nothing on the data path.
    add_compile_options(-fstack-protector-strong -fstack-clash-protection)
    add_link_options(-Wl,-z,relro -Wl,-z,now)
endif()

# causeway_precompile(<target> [<header>...]): what most sources include is parsed once. Under the sanitizers only: a build
# that ships finds out what a source has forgotten to include.
function(causeway_precompile target)
    if(NOT CAUSEWAY_SANITIZE)
        return()
    endif()
    foreach(header IN ITEMS algorithm array atomic functional map memory optional span string vector tl/expected.hpp ${ARGN})
        target_precompile_headers(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:<${header}$<ANGLE-R>>")
    endforeach()
endfunction()

if(CMAKE_GENERATOR STREQUAL "Ninja")
    add_compile_options(-fdiagnostics-color=auto)
endif()

find_program(CAUSEWAY_CCACHE ccache)
mark_as_advanced(CAUSEWAY_CCACHE)
if(CAUSEWAY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${CAUSEWAY_CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CAUSEWAY_CCACHE})
endif()
