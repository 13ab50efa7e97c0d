# libcauseway.so.1: the client and ipc rooms, and the host's half of disks, as objects (so that --exclude-libs, which hides all that comes from archives, spares
# its exports) on top of the lower rooms. Only cw_* leaves it; the C++ runtime is inside, so it loads in anybody's image.

if(NOT TARGET causeway_client)
    return()
endif()
get_target_property(kind causeway_client TYPE)
if(NOT kind STREQUAL "STATIC_LIBRARY")
    return()
endif()

# Of the io room what a host needs: the messaging layer, and what stands in block/ itself (its units are programs).
set(io_objects "$<TARGET_OBJECTS:causeway_io>")
add_library(causeway SHARED $<TARGET_OBJECTS:causeway_client> $<TARGET_OBJECTS:causeway_ipc>
    "$<FILTER:${io_objects},INCLUDE,/src/io/(messaging|block)/[^/]*[.]o$>")
add_library(causeway::causeway ALIAS causeway)
set_target_properties(causeway PROPERTIES
    VERSION 1.0.0
    SOVERSION 1
    LINKER_LANGUAGE CXX)
target_include_directories(causeway INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(causeway INTERFACE cxx_std_20)
# The header-only C++ layer returns tl::expected.
target_link_libraries(causeway INTERFACE tl::expected)

get_target_property(below causeway_client LINK_LIBRARIES)
target_link_libraries(causeway PRIVATE ${below})

file(GLOB map CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/client/causeway.map)
if(map)
    target_link_options(causeway PRIVATE -Wl,--version-script=${map})
    set_property(TARGET causeway APPEND PROPERTY LINK_DEPENDS ${map})
endif()
target_link_options(causeway PRIVATE -Wl,--exclude-libs,ALL -Wl,-z,now)
if(NOT CAUSEWAY_SANITIZE)
    # --gc-sections drops what the static C++ runtime brings along unused, with its demands on glibc.
    target_link_options(causeway PRIVATE
        -static-libstdc++ -static-libgcc -Wl,--no-undefined -Wl,--gc-sections)
    target_sources(causeway PRIVATE ${PROJECT_SOURCE_DIR}/src/client/glibc_floor.c)
endif()
