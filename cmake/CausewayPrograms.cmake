# The programs in apps/, the examples, and `programs`: the target that a plain `make` builds.

add_custom_target(programs)
if(TARGET causeway)
    add_dependencies(programs causeway)
endif()

find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)

# The measurements behind `causeway perf`, with what they need of the tool: the laboratory (bench/) links them too.
set(tool_dir ${PROJECT_SOURCE_DIR}/apps/causeway)
file(GLOB perf_sources CONFIGURE_DEPENDS ${tool_dir}/perf/*.cpp)
file(GLOB see_sources CONFIGURE_DEPENDS ${tool_dir}/see/*.cpp)  # of `causeway top` and `stats`, for the tests too
list(APPEND perf_sources ${see_sources}
    ${tool_dir}/stats.cpp ${tool_dir}/interrupt.cpp ${tool_dir}/private_adapter.cpp ${tool_dir}/text.cpp)
add_library(causeway_perf STATIC EXCLUDE_FROM_ALL ${perf_sources})
target_include_directories(causeway_perf PUBLIC ${tool_dir})
target_compile_definitions(causeway_perf PUBLIC CAUSEWAY_VERSION="${PROJECT_VERSION}")
target_link_libraries(causeway_perf PUBLIC
    causeway_headers causeway_io causeway_commit fmt::fmt nlohmann_json::nlohmann_json)

# What `causeway doctor` checks: a library of its own, so that its tests can make up a host.
file(GLOB doctor_sources CONFIGURE_DEPENDS ${tool_dir}/doctor/*.cpp)
add_library(causeway_doctor STATIC EXCLUDE_FROM_ALL ${doctor_sources})
target_link_libraries(causeway_doctor PUBLIC causeway_perf)

# causeway_program(<target> FOLDER <folder> OUTPUT <file name> LIBRARIES <target>...)
function(causeway_program target)
    cmake_parse_arguments(arg "" "FOLDER;OUTPUT" "LIBRARIES" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/apps/${arg_FOLDER}/*.cpp)
    list(REMOVE_ITEM sources ${perf_sources} ${doctor_sources})
    add_executable(${target} ${sources})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_OUTPUT})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/apps/${arg_FOLDER})
    target_compile_definitions(${target} PRIVATE CAUSEWAY_VERSION="${PROJECT_VERSION}")
    target_link_libraries(${target} PRIVATE causeway_headers
        CLI11::CLI11 fmt::fmt spdlog::spdlog nlohmann_json::nlohmann_json ${arg_LIBRARIES})
    add_dependencies(programs ${target})
    install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

causeway_program(causewayd FOLDER causewayd OUTPUT causewayd LIBRARIES causeway_adapter)
# The library's target is called causeway; the command-line tool of that name is causeway_cli here.
causeway_program(causeway_cli FOLDER causeway OUTPUT causeway LIBRARIES causeway_doctor causeway_config causeway_io)

# An example sees what a user of the library sees: the public headers and the shared library.
file(GLOB examples CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/examples/*.cpp ${PROJECT_SOURCE_DIR}/examples/*.c)
if(TARGET causeway)
    foreach(source IN LISTS examples)
        get_filename_component(stem ${source} NAME_WE)
        add_executable(example_${stem} ${source})
        target_link_libraries(example_${stem} PRIVATE causeway::causeway Threads::Threads)
        add_dependencies(programs example_${stem})
    endforeach()
endif()

# nbdkit's plugin sees what a user of the library sees, too. It is made where nbdkit's header is.
pkg_check_modules(nbdkit IMPORTED_TARGET nbdkit)
if(TARGET causeway AND nbdkit_FOUND AND NOT CAUSEWAY_SANITIZE)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/apps/nbdkit/*.cpp)
    add_library(causeway_nbdkit MODULE ${sources})
    set_target_properties(causeway_nbdkit PROPERTIES PREFIX "" OUTPUT_NAME nbdkit-causeway-plugin)
    target_compile_definitions(causeway_nbdkit PRIVATE CAUSEWAY_VERSION="${PROJECT_VERSION}")
    target_link_libraries(causeway_nbdkit PRIVATE causeway::causeway Threads::Threads PkgConfig::nbdkit)
    add_dependencies(programs causeway_nbdkit)
    install(TARGETS causeway_nbdkit LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/nbdkit/plugins)
elseif(NOT nbdkit_FOUND)
    message(STATUS "nbdkit's header is not there (packages.txt, [build]: nbdkit-plugin-dev): its plugin is not made")
endif()
