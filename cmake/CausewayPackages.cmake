# `make deb`: five Debian packages by CPack, into build/packages.
#
#   libcauseway1     the library              libcauseway-dev  headers, CMake package, pkg-config
#   causewayd        daemon, systemd units    causeway-tools   the command causeway
#   causeway-nbdkit  the plugin of nbdkit, where that was made
#
# They are made from the same build as `make install`, but where Debian wants things: so each file has a second install
# rule here, of a component that a plain `cmake --install` leaves out.

if(NOT TARGET causeway OR NOT CMAKE_LIBRARY_ARCHITECTURE)
    return()
endif()

set(packaging ${PROJECT_SOURCE_DIR}/packaging)
set(deb_library_folder lib/${CMAKE_LIBRARY_ARCHITECTURE})
set(CPACK_COMPONENTS_ALL deb_library deb_development deb_daemon deb_tools)

# deb_install(<component> <arguments of install()>...)
function(deb_install component)
    install(${ARGN} COMPONENT ${component} EXCLUDE_FROM_ALL)
endfunction()

# deb_compressed(<component> FOLDER <folder> FILES <file>... [NAME <name>])
function(deb_compressed component)
    cmake_parse_arguments(arg "" "FOLDER;NAME" "FILES" ${ARGN})
    install(CODE "set(FOLDER \"${arg_FOLDER}\")\nset(NAME \"${arg_NAME}\")\nset(FILES \"${arg_FILES}\")
include(\"${PROJECT_SOURCE_DIR}/cmake/install_compressed.cmake\")"
        COMPONENT ${component} EXCLUDE_FROM_ALL)
endfunction()

# deb_package(<component> <name> SECTION <section> SUMMARY <line> TEXT <text> [DEPENDS ...] [RECOMMENDS ...] [SUGGESTS ...])
# A script or trigger of packaging/debian/<name>/ becomes the package's.
macro(deb_package component name)
    cmake_parse_arguments(arg "" "SECTION;SUMMARY;TEXT;DEPENDS;RECOMMENDS;SUGGESTS" "" ${ARGN})
    string(TOUPPER ${component} upper)
    set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
    set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${arg_SECTION})
    set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${arg_DEPENDS}")
    set(CPACK_DEBIAN_${upper}_PACKAGE_RECOMMENDS "${arg_RECOMMENDS}")
    set(CPACK_DEBIAN_${upper}_PACKAGE_SUGGESTS "${arg_SUGGESTS}")
    set(CPACK_DEBIAN_${upper}_DESCRIPTION "${arg_SUMMARY}\n${arg_TEXT}")
    file(GLOB control CONFIGURE_DEPENDS ${packaging}/debian/${name}/*)
    set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA "${control}")
    deb_install(${component} FILES ${packaging}/debian/copyright DESTINATION share/doc/${name})
    deb_compressed(${component} FOLDER share/doc/${name} NAME changelog.Debian
        FILES ${packaging}/debian/changelog)
endmacro()

# No semicolon in these: they pass through lists.
set(about "Causeway moves data between the processes, containers and sandboxes of one
host through a daemon that copies from the sender's registered memory straight
into the receiver's. Partitions that trust each other copy by themselves.")

# The library.
deb_package(deb_library libcauseway1 SECTION libs
    SUMMARY "memory-speed transfers between the partitions of a host"
    TEXT "${about}\n\nThis is the shared library.")
deb_install(deb_library TARGETS causeway EXPORT causewayTargetsDeb
    LIBRARY DESTINATION ${deb_library_folder} NAMELINK_SKIP)

set(CPACK_DEBIAN_DEB_LIBRARY_PACKAGE_MULTIARCH same)

# What programs are built with.
deb_package(deb_development libcauseway-dev SECTION libdevel
    SUMMARY "memory-speed transfers between partitions, development files"
    TEXT "${about}\n\nThese are the headers for C and C++20, the CMake package and the\npkg-config file."
    DEPENDS "libcauseway1 (= ${PROJECT_VERSION}-1), libexpected-dev")
install(TARGETS causeway
    LIBRARY DESTINATION ${deb_library_folder} NAMELINK_ONLY COMPONENT deb_development EXCLUDE_FROM_ALL)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/causeway DESTINATION include
    COMPONENT deb_development EXCLUDE_FROM_ALL
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
set(deb_cmake_folder ${deb_library_folder}/cmake/causeway)
deb_install(deb_development EXPORT causewayTargetsDeb FILE causewayTargets.cmake
    NAMESPACE causeway:: DESTINATION ${deb_cmake_folder})
deb_install(deb_development FILES
    ${PROJECT_BINARY_DIR}/causewayConfig.cmake ${PROJECT_BINARY_DIR}/causewayConfigVersion.cmake
    DESTINATION ${deb_cmake_folder})
function(write_deb_pkg_config)
    set(CMAKE_INSTALL_LIBDIR ${deb_library_folder})
    set(PC_TO_PREFIX ../../..)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/causeway.pc.in
        ${PROJECT_BINARY_DIR}/packaging/causeway.pc @ONLY)
endfunction()
write_deb_pkg_config()
deb_install(deb_development FILES ${PROJECT_BINARY_DIR}/packaging/causeway.pc
    DESTINATION ${deb_library_folder}/pkgconfig)
file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c ${PROJECT_SOURCE_DIR}/examples/*.cpp)
deb_install(deb_development FILES ${examples} DESTINATION share/doc/libcauseway-dev/examples)

# The daemon.
deb_package(deb_daemon causewayd SECTION net
    SUMMARY "memory-speed transfers between partitions, the adapter daemon"
    TEXT "${about}\n\nThis is the adapter, which starts when the first partition or tool connects,
without any privilege beyond its runtime directory."
    DEPENDS "systemd | systemd-standalone-sysusers, init-system-helpers (>= 1.52)"
    RECOMMENDS "causeway-tools, procps")
deb_install(deb_daemon TARGETS causewayd RUNTIME DESTINATION bin)
deb_install(deb_daemon FILES
    ${packaging}/systemd/causewayd.service ${packaging}/systemd/causewayd.socket
    DESTINATION /lib/systemd/system)
deb_install(deb_daemon FILES ${packaging}/systemd/sysusers.conf
    DESTINATION lib/sysusers.d RENAME causeway.conf)
deb_install(deb_daemon FILES
    ${packaging}/systemd/metrics.conf ${PROJECT_SOURCE_DIR}/examples/causeway.toml
    DESTINATION share/doc/causewayd/examples)
deb_install(deb_daemon DIRECTORY ${PROJECT_SOURCE_DIR}/examples/containers
    DESTINATION share/doc/causewayd/examples)

# The tools.
deb_package(deb_tools causeway-tools SECTION net
    SUMMARY "memory-speed transfers between partitions, the tools"
    TEXT "${about}\n\nThis is the command causeway: pipes between partitions, listings,\nmeasurements, checks."
    RECOMMENDS "causewayd" SUGGESTS "bubblewrap")
deb_install(deb_tools TARGETS causeway_cli RUNTIME DESTINATION bin)

# What nbdkit loads.
if(TARGET causeway_nbdkit)
    list(APPEND CPACK_COMPONENTS_ALL deb_nbdkit)
    deb_package(deb_nbdkit causeway-nbdkit SECTION net
        SUMMARY "memory-speed transfers between partitions, plugin of nbdkit"
        TEXT "${about}\n\nThis lets nbdkit serve the disks of a fabric to every program that speaks NBD."
        DEPENDS "libcauseway1 (= ${PROJECT_VERSION}-1), nbdkit" SUGGESTS "causeway-tools")
    deb_install(deb_nbdkit TARGETS causeway_nbdkit LIBRARY DESTINATION ${deb_library_folder}/nbdkit/plugins)
    # The library that it needs is in no package that is installed here.
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
endif()

# causewayd.8 and what describes its file belong to the daemon, nbdkit's to its plugin, all others to the tools.
file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.[1-8])
foreach(page IN LISTS pages)
    string(REGEX MATCH "[0-9]$" section ${page})
    set(component deb_tools)
    if(page MATCHES "/nbdkit-")
        set(component deb_nbdkit)
    elseif(NOT section EQUAL 1)
        set(component deb_daemon)
    endif()
    deb_compressed(${component} FOLDER share/man/man${section} FILES ${page})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME causeway)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has its own
set(CPACK_PACKAGE_CONTACT "Causeway maintainers <maintainers@causeway.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
